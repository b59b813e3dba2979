import { isValidElement, type PropsWithChildren, type ReactNode, useMemo } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { Link } from 'wouter';
import { addressWithin, anchorOf } from './address.ts';
import classes from './markdown.module.css';

interface MarkdownProps {
  readonly text: string;
  /** The path of the runbook that it stands in: links to other files are read from there. */
  readonly path: string;
  /** The lines of `text`, from 1, that are shown as the passage that was cited. */
  readonly marked?: { readonly from: number; readonly to: number } | null;
}

const BLOCKS = ['p', 'li', 'pre', 'table', 'blockquote'] as const;
/** A heading stands below the page's own. */
const HEADINGS = { h1: 'h2', h2: 'h2', h3: 'h3', h4: 'h4' } as const;

/** Renders markdown; a picture is a link to it, since nothing is loaded from elsewhere, a link to another runbook opens it here, and a heading can be linked to as on GitHub. */
export default function Markdown({ text, path, marked = null }: MarkdownProps) {
  const components = useMemo(() => componentsFor(path, marked), [path, marked]);
  return (
    <div className={classes.text}>
      <ReactMarkdown remarkPlugins={[remarkGfm]} components={components}>
        {text}
      </ReactMarkdown>
    </div>
  );
}

interface Place {
  readonly node?: { readonly position?: { readonly start: { line: number }; readonly end: { line: number } } };
}

function componentsFor(path: string, marked: MarkdownProps['marked']): Components {
  const markOf = ({ node }: Place) => {
    const [first, last] = [node?.position?.start.line ?? 0, node?.position?.end.line ?? 0];
    return (marked && first <= marked.to && last >= marked.from) || undefined;
  };
  const blocks = BLOCKS.map((Tag) => [
    Tag,
    ({ node, children, ...rest }: Place & PropsWithChildren) => (
      <Tag {...rest} data-marked={markOf({ node })}>
        {children}
      </Tag>
    ),
  ]);
  const headings = Object.entries(HEADINGS).map(([written, Tag]) => [
    written,
    ({ node, children }: Place & PropsWithChildren) => (
      <Tag id={anchorOf(textOf(children))} data-marked={markOf({ node })}>
        {children}
      </Tag>
    ),
  ]);
  return {
    ...(Object.fromEntries([...blocks, ...headings]) as Components),
    a: ({ href = '', children }) => {
      const within = addressWithin(href, path);
      if (within === null) return <Outside href={href}>{children}</Outside>;
      return within.startsWith('#') ? <a href={within}>{children}</a> : <Link href={within}>{children}</Link>;
    },
    img: ({ src, alt }) => <Outside href={String(src)}>picture: {alt || String(src)}</Outside>,
  };
}

function Outside({ href, children }: { readonly href: string } & PropsWithChildren) {
  return (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  );
}

function textOf(children: ReactNode): string {
  if (typeof children === 'string' || typeof children === 'number') return String(children);
  if (Array.isArray(children)) return children.map(textOf).join('');
  return isValidElement<PropsWithChildren>(children) ? textOf(children.props.children) : '';
}
