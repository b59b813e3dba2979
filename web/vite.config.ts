/** How the console is built: one page, hashed files, nothing inline, so that its policy can forbid inline scripts and styles. */
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { writeVariables } from './write-variables.ts';

const THEME = 'virtual:theme.css';

/** Gives the variables of the theme as a file; Mantine would put them into the page when it runs, which the policy forbids. */
function themeVariables(): Plugin {
  return {
    name: 'theme-variables',
    resolveId: (id) => (id === THEME ? `\0${THEME}` : null),
    load: (id) => (id === `\0${THEME}` ? writeVariables() : null),
  };
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), themeVariables()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
    reportCompressedSize: false,
    // What the bundle holds of others is licensed on condition that their notices go with it.
    license: { fileName: 'licenses.md' },
  },
});
