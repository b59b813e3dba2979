import { Button, type ButtonProps, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useId } from 'react';
import { sessionQuery } from '../api/queries.ts';
import type { Role } from '../api/shapes.ts';

const RANK: Readonly<Record<Role, number>> = { viewer: 0, approver: 1, admin: 2 };

/** Says why whoever is signed in may not do what needs that role; null where they may. */
export function useRefusal(needs: Role): string | null {
  const { data: session } = useQuery(sessionQuery);
  if (!session) return 'sign in first';
  if (RANK[session.role] >= RANK[needs]) return null;
  return `needs the role ${needs}; ${session.person} is ${session.role}. An administrator can change that`;
}

interface RoleButtonProps extends ButtonProps {
  readonly needs: Role;
  readonly onClick: () => void;
  readonly children: ReactNode;
  /** Another reason why it cannot be pressed now. */
  readonly because?: string | null;
  readonly keys?: string;
}

/** A button that whoever may not press it sees too, with the reason; it stays in the order of the keyboard so that the reason is read. */
export function RoleButton({ needs, onClick, because = null, keys, children, ...props }: RoleButtonProps) {
  const refusal = useRefusal(needs) ?? because;
  const id = useId();
  if (refusal === null)
    return (
      <Button {...props} onClick={onClick} aria-keyshortcuts={keys}>
        {children}
      </Button>
    );
  return (
    <Tooltip label={refusal} multiline maw={280} events={{ hover: true, focus: true, touch: true }}>
      <Button
        {...props}
        data-disabled
        aria-disabled="true"
        aria-describedby={id}
        onClick={(event) => event.preventDefault()}
      >
        {children}
        <span id={id} hidden>
          {refusal}
        </span>
      </Button>
    </Tooltip>
  );
}
