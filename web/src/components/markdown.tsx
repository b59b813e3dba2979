import { useMemo } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import classes from './markdown.module.css';

interface MarkdownProps {
  readonly text: string;
  /** The lines of `text`, from 1, that are shown as the passage that was cited. */
  readonly marked?: { readonly from: number; readonly to: number } | null;
}

const BLOCKS = ['p', 'h2', 'h3', 'h4', 'li', 'pre', 'table', 'blockquote'] as const;

/** Renders markdown; a picture is a link to it, since nothing is loaded from elsewhere, and a heading stands below the page's own. */
export default function Markdown({ text, marked = null }: MarkdownProps) {
  const components = useMemo(() => componentsFor(marked), [marked]);
  return (
    <div className={classes.text}>
      <ReactMarkdown remarkPlugins={[remarkGfm]} components={components}>
        {text}
      </ReactMarkdown>
    </div>
  );
}

function componentsFor(marked: MarkdownProps['marked']): Components {
  const blocks = BLOCKS.map((Tag) => [
    Tag,
    ({
      node,
      children,
      ...rest
    }: { node?: { position?: { start: { line: number }; end: { line: number } } } } & React.PropsWithChildren) => {
      const [first, last] = [node?.position?.start.line ?? 0, node?.position?.end.line ?? 0];
      const isMarked = marked !== null && marked !== undefined && first <= marked.to && last >= marked.from;
      return (
        <Tag {...rest} data-marked={isMarked || undefined}>
          {children}
        </Tag>
      );
    },
  ]);
  return {
    ...(Object.fromEntries(blocks) as Components),
    h1: ({ children }) => <h2>{children}</h2>,
    a: ({ href, children }) => (
      <a href={href} target="_blank" rel="noreferrer noopener">
        {children}
      </a>
    ),
    img: ({ src, alt }) => (
      <a href={typeof src === 'string' ? src : undefined} target="_blank" rel="noreferrer noopener">
        picture: {alt || src?.toString()}
      </a>
    ),
  };
}
