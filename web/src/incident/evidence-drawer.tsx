import '@mantine/core/styles/Drawer.css';
import { Drawer } from '@mantine/core';
import { IconBook2, IconHistory } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { Link } from 'wouter';
import type { Citation, Evidence } from '../api/shapes.ts';
import { written } from '../components/code-block.tsx';
import { runbookAddress } from '../runbooks/address.ts';
import classes from './evidence.module.css';
import { splitAtQuote } from './quote.ts';

interface EvidenceDrawerProps {
  readonly evidence: readonly Evidence[];
  readonly cited: Citation | null;
  readonly onClose: () => void;
}

/** Opens what was cited beside the page, with the quote marked, and leads to where it stands. */
export function EvidenceDrawer({ evidence, cited, onClose }: EvidenceDrawerProps) {
  const item = evidence.find(({ ref }) => ref === cited?.evidence);
  return (
    <Drawer
      opened={cited !== null}
      onClose={onClose}
      position="right"
      size="xl"
      title={item ? `${item.ref} ${item.title}` : 'Evidence'}
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {item && cited ? <Opened item={item} quote={cited.quote} /> : <p>This evidence is not kept any more.</p>}
    </Drawer>
  );
}

function Opened({ item, quote }: { readonly item: Evidence; readonly quote: string }) {
  const mark = useRef<HTMLElement>(null);
  const text = item.kind === 'tool' ? written(item.full ?? item.content) : (item.full ?? item.content);
  const [before, quoted, after] = splitAtQuote(text, quote);
  useEffect(() => {
    mark.current?.scrollIntoView({ block: 'center' });
  }, []);
  const { path, startLine, endLine, incident, tool, arguments: args } = item.origin;
  return (
    <>
      {typeof path === 'string' ? (
        <Link className={classes.open} href={runbookAddress(path, { from: Number(startLine), to: Number(endLine) })}>
          <IconBook2 size={16} aria-hidden="true" /> Open it in {path}, lines {String(startLine)} to {String(endLine)}
        </Link>
      ) : null}
      {typeof incident === 'string' ? (
        <Link className={classes.open} href={`/incidents/${incident}`}>
          <IconHistory size={16} aria-hidden="true" /> Open {incident}
        </Link>
      ) : null}
      {typeof tool === 'string' ? (
        <p className={classes.origin}>
          {tool} {JSON.stringify(args)}
        </p>
      ) : null}
      <div className={classes.passage} data-exact={item.kind === 'tool' || undefined}>
        {before}
        {quoted ? <mark ref={mark}>{quoted}</mark> : null}
        {after}
      </div>
    </>
  );
}
