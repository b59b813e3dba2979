import { convertCssVariables, DEFAULT_THEME, defaultCssVariablesResolver, mergeMantineTheme } from '@mantine/core';
import { THEME } from './src/theme.ts';

/** Writes the variables of the theme as CSS, for both colour schemes. */
export function writeVariables(): string {
  const theme = mergeMantineTheme(DEFAULT_THEME, THEME);
  return convertCssVariables(defaultCssVariablesResolver(theme), ':root');
}
