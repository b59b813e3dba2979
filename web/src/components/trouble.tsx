import { Button, Skeleton } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ApiProblem } from '../api/client.ts';
import { PageTitle } from './page-title.tsx';
import classes from './trouble.module.css';

/** Says what went wrong and what to do about it, in the server's words. */
export function Trouble({
  error,
  says,
  retry,
}: {
  readonly error: unknown;
  /** What that means where it is shown. */
  readonly says?: string;
  readonly retry?: (() => unknown) | undefined;
}) {
  const { message, fix } = wordsOf(error);
  return (
    <div className={classes.trouble} role="alert">
      <IconPlugConnectedX size={22} aria-hidden="true" />
      <div>
        <p className={classes.what}>{says ? `${says}: ${message}` : message}</p>
        {fix ? <p className={classes.fix}>Fix: {fix}</p> : null}
      </div>
      {retry && !isMissing(error) ? (
        <Button size="xs" variant="default" onClick={() => void retry()}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}

/** How browsers, and Vite, say that a part of the page could not be loaded. */
const PART_LOST = /dynamically imported module|Importing a module script|preload CSS/;

/** Gives the words for a failure, and the fix where one is known. */
export function wordsOf(error: unknown): { readonly message: string; readonly fix: string } {
  if (error instanceof ApiProblem) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!PART_LOST.test(message)) return { message, fix: '' };
  return {
    message: 'This part of the console could not be loaded',
    fix: 'look whether Nightshift runs, and try again',
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 404;
}

/** Says that there is nothing, and what that means or what to do next. */
export function Empty({
  icon,
  title,
  children,
}: {
  readonly icon: ReactNode;
  readonly title: string;
  readonly children?: ReactNode;
}) {
  return (
    <div className={classes.empty}>
      <span className={classes.icon} aria-hidden="true">
        {icon}
      </span>
      <p className={classes.title}>{title}</p>
      {children ? <div className={classes.hint}>{children}</div> : null}
    </div>
  );
}

/** Stands in for lines that are on their way, as high as they will be. */
export function Waiting({ lines = 3, height = 56 }: { readonly lines?: number; readonly height?: number }) {
  return (
    <div className={classes.waiting} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike and never move.
        <Skeleton key={index} height={height} radius="md" />
      ))}
    </div>
  );
}

function Whole({
  title,
  error,
  retry,
}: {
  readonly title: string;
  readonly error: unknown;
  readonly retry: () => unknown;
}) {
  return (
    <>
      <PageTitle title={isMissing(error) ? `${title} not found` : title} />
      <Trouble error={error} retry={retry} />
    </>
  );
}

/** Whoever cannot be reached at all is told of once, above the page. */
function isUnreachable(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 0;
}

interface Answer<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly refetch: () => unknown;
}

/** Shows what was asked for, or that it is on its way, or why it is not to be had; old data stays while newer is asked for, and says where that failed. */
export function Loaded<T>({
  query,
  children,
  waiting,
  title,
}: {
  readonly query: Answer<T>;
  readonly children: (data: T) => ReactNode;
  readonly waiting?: ReactNode;
  /** What the whole page is called where what it asked for is not to be had. */
  readonly title?: string;
}) {
  if (query.data !== undefined)
    return (
      <>
        {query.error && !isUnreachable(query.error) ? <Trouble error={query.error} retry={query.refetch} /> : null}
        {children(query.data)}
      </>
    );
  if (query.error && title !== undefined) return <Whole title={title} error={query.error} retry={query.refetch} />;
  if (query.error) return <Trouble error={query.error} retry={query.refetch} />;
  return waiting ?? <Waiting />;
}
