/** Gives the address of a runbook's page, with the lines that are cited. */
export function runbookAddress(path: string, lines?: { readonly from: number; readonly to: number }): string {
  return `/runbooks/view?path=${encodeURIComponent(path)}${lines ? `&from=${lines.from}&to=${lines.to}` : ''}`;
}
