import { Button, Skeleton } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ApiProblem } from '../api/client.ts';
import classes from './trouble.module.css';

/** Says what went wrong and what to do about it, in the server's words. */
export function Trouble({ error, retry }: { readonly error: unknown; readonly retry?: (() => unknown) | undefined }) {
  const { message, fix } =
    error instanceof ApiProblem ? error : { message: error instanceof Error ? error.message : String(error), fix: '' };
  return (
    <div className={classes.trouble} role="alert">
      <IconPlugConnectedX size={22} aria-hidden="true" />
      <div>
        <p className={classes.what}>{message}</p>
        {fix ? <p className={classes.fix}>Fix: {fix}</p> : null}
      </div>
      {retry ? (
        <Button size="xs" variant="default" onClick={() => void retry()}>
          Try again
        </Button>
      ) : null}
    </div>
  );
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

interface Answer<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly refetch: () => unknown;
}

/** Shows what was asked for, or that it is on its way, or why it is not to be had; old data stays while newer is asked for. */
export function Loaded<T>({
  query,
  children,
  waiting,
}: {
  readonly query: Answer<T>;
  readonly children: (data: T) => ReactNode;
  readonly waiting?: ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Trouble error={query.error} retry={query.refetch} />;
  return waiting ?? <Waiting />;
}
