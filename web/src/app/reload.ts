const RELOADED_AT = 'nightshift reloaded at';
/** What is gone after a reload too will not come by another one. */
const RELOAD_AGAIN_MS = 60_000;

/** Loads the page anew, but only where its server answers: else the browser's error page would stand in its place. */
export async function reloadWhereServed(): Promise<void> {
  const response = await fetch('/', { cache: 'no-store', headers: { accept: 'text/html' } }).catch(() => null);
  if (response?.ok) window.location.reload();
}

/** Has the page loaded anew, at most once a minute, where a part of it is gone because a newer version was built while it was open. */
export function reloadForNewerParts(): void {
  window.addEventListener('vite:preloadError', () => {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED_AT) ?? 0) < RELOAD_AGAIN_MS) return;
    sessionStorage.setItem(RELOADED_AT, String(Date.now()));
    void reloadWhereServed();
  });
}
