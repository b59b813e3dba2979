import { useMantineColorScheme } from '@mantine/core';

/** The colour schemes, in the order of the switch. */
export const SCHEMES = ['auto', 'dark', 'light'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Gives the chosen scheme and the way to choose another; `auto` follows the system. */
export function useScheme() {
  // Without this it would put a style element into the page, which the page's policy forbids.
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  return { scheme: colorScheme, setScheme: (scheme: Scheme) => setColorScheme(scheme) };
}
