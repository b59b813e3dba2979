import '@mantine/core/styles/PasswordInput.css';
import { Button, PasswordInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ask } from '../api/client.ts';
import { sessionQuery, signInOptionsQuery } from '../api/queries.ts';
import type { Session } from '../api/shapes.ts';
import { Trouble } from '../components/trouble.tsx';
import classes from './sign-in.module.css';

/** Asks who is there: by the identity provider of the house, or by a personal token. */
export default function SignIn() {
  const [token, setToken] = useState('');
  const client = useQueryClient();
  const { data: options } = useQuery(signInOptionsQuery);
  const signIn = useMutation({
    meta: { isShown: true },
    mutationFn: () => ask<Session>('/session', { body: { token: token.trim() } }),
    onSuccess: (session) => {
      // Whoever was here before may have seen more.
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
      client.setQueryData(sessionQuery.queryKey, session);
    },
  });
  const here = window.location.pathname + window.location.search;
  return (
    <main className={classes.page}>
      <div className={classes.box}>
        <img src="/moon.svg" alt="" width="52" height="52" />
        <h1 className={classes.title}>Nightshift</h1>
        <p className={classes.tells}>Fixes what it is allowed to fix, and asks you about the rest.</p>
        {options?.oidc ? (
          <>
            <Button component="a" href={`/auth/oidc/start?to=${encodeURIComponent(here)}`} size="md" fullWidth>
              {options.oidc.name}
            </Button>
            <p className={classes.or}>or</p>
          </>
        ) : null}
        <form
          className={classes.form}
          onSubmit={(event) => {
            event.preventDefault();
            signIn.mutate();
          }}
        >
          <PasswordInput
            label="Personal token"
            description="The first one is in the file admin.token of the data directory."
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="current-password"
            required
            withAsterisk={false}
            autoFocus
          />
          {signIn.error ? <Trouble error={signIn.error} /> : null}
          <Button
            type="submit"
            variant={options?.oidc ? 'default' : 'filled'}
            size="md"
            fullWidth
            loading={signIn.isPending}
            disabled={token.trim() === ''}
          >
            Sign in
          </Button>
        </form>
      </div>
    </main>
  );
}
