/** Gives the address of a runbook's page, with the lines that are cited. */
export function runbookAddress(path: string, lines?: { readonly from: number; readonly to: number }): string {
  return `/runbooks/view?path=${encodeURIComponent(path)}${lines ? `&from=${lines.from}&to=${lines.to}` : ''}`;
}

/** Gives the anchor of a heading, as GitHub makes it. */
export function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** Gives where a link in a runbook leads within the console: to a heading of its own, or to another runbook; null for everything else. */
export function addressWithin(href: string, path: string): string | null {
  if (href.startsWith('#')) return href;
  if (/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(href)) return null;
  const { pathname, hash } = new URL(href, `file:///${path.split('/').map(encodeURIComponent).join('/')}`);
  if (!/\.(?:md|markdown)$/i.test(pathname)) return null;
  // It is encoded for a path already, and whatever it decodes to is asked for.
  return `/runbooks/view?path=${pathname.slice(1).replace(/[&+]/g, encodeURIComponent)}${hash}`;
}
