import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** Indigo as it is at night: what is interactive. */
const night: MantineColorsTuple = [
  '#eef0ff',
  '#dcdfff',
  '#bcc3ff',
  '#9aa5ff',
  '#8190fb',
  '#6a7af2',
  '#5566e4',
  '#4354cf',
  '#3443ab',
  '#283486',
];

/** The one warm colour: what waits for a person. */
const signal: MantineColorsTuple = [
  '#fff6e6',
  '#ffeacc',
  '#ffd699',
  '#ffc266',
  '#ffb443',
  '#f59f1a',
  '#d48306',
  '#a86400',
  '#844f00',
  '#633b00',
];

/** What stops or denies; white words are read on it in both schemes. */
const red: MantineColorsTuple = [
  '#fdeae7',
  '#fbd3ce',
  '#f7a99f',
  '#ff8d80',
  '#e8604f',
  '#d8412f',
  '#c5362a',
  '#b3261e',
  '#991e17',
  '#7d1610',
];

/** The greys of the dark scheme, from text to the ground. */
const dark: MantineColorsTuple = [
  '#e4e7f7',
  '#c3c9e6',
  '#a3abd0',
  '#7a83ac',
  '#323a60',
  '#242b4b',
  '#171d36',
  '#0d1122',
  '#0a0d1b',
  '#070913',
];

/** The theme of the console: calm, dense, dark first. */
export const THEME = createTheme({
  colors: { night, signal, red, dark },
  primaryColor: 'night',
  primaryShade: { light: 7, dark: 6 },
  defaultRadius: 'md',
  fontFamily:
    'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", "JetBrains Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8438rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
  headings: { fontWeight: '650' },
  cursorType: 'pointer',
  components: {
    // A dialog has a header of its own, which is not that of the page.
    Modal: { defaultProps: { attributes: { header: { role: 'presentation' } } } },
    Drawer: { defaultProps: { attributes: { header: { role: 'presentation' } } } },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
  },
  respectReducedMotion: true,
});
