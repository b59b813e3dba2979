import { ActionIcon, Menu } from '@mantine/core';
import { IconCheck, IconDeviceDesktop, IconLogout, IconMoon, IconSun, IconUser } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { ask } from '../api/client.ts';
import { sessionQuery } from '../api/queries.ts';
import { SCHEMES, useScheme } from './scheme.ts';

const LOOKS = {
  auto: { icon: IconDeviceDesktop, word: 'As the system' },
  dark: { icon: IconMoon, word: 'Dark' },
  light: { icon: IconSun, word: 'Light' },
} as const;

/** Who is signed in, with which role, how the page looks, and the way out. */
export function PersonMenu() {
  const { data: session } = useQuery(sessionQuery);
  const { scheme, setScheme } = useScheme();
  const [, navigate] = useLocation();
  const signOut = useMutation({
    mutationFn: () => ask('/session', { method: 'DELETE' }),
    onSuccess: () => window.location.assign('/'),
  });
  return (
    <Menu position="bottom-end" width={220} transitionProps={{ duration: 80 }}>
      <Menu.Target>
        <ActionIcon variant="default" size={36} radius="xl" aria-label={`You: ${session?.person ?? ''}`}>
          <IconUser size={18} aria-hidden="true" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session?.person} · {session?.role}
        </Menu.Label>
        <Menu.Item leftSection={<IconDeviceDesktop size={16} />} onClick={() => navigate('/sessions')}>
          Where you are signed in
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>Look</Menu.Label>
        {SCHEMES.map((one) => {
          const { icon: Icon, word } = LOOKS[one];
          return (
            <Menu.Item
              key={one}
              leftSection={<Icon size={16} />}
              rightSection={scheme === one ? <IconCheck size={16} aria-label="chosen" /> : null}
              onClick={() => setScheme(one)}
            >
              {word}
            </Menu.Item>
          );
        })}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => signOut.mutate()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
