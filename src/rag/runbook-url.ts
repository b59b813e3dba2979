/** A `runbook_url` names a page of a repository; these tell which indexed file that is. */

const URL_LENGTH_MAX = 2000;
const DEPTH_MAX = 20;
/** What stands between repository and path where GitHub, GitLab, Gitea and Bitbucket show a file; a ref follows. */
const VIEWS = [
  '/-/blob/',
  '/-/raw/',
  '/-/blame/',
  '/blob/',
  '/raw/',
  '/blame/',
  '/edit/',
  '/src/branch/',
  '/src/commit/',
  '/src/tag/',
  '/src/',
];

/** Gives every path inside a repository that a URL may mean, the longest first, at most 20; none where it is no web address. */
export function pathsOfUrl(url: string): string[] {
  const parts = read(url)?.path.split('/').filter(Boolean) ?? [];
  return parts.map((_, from) => parts.slice(from).join('/')).slice(-DEPTH_MAX);
}

/**
 * Tells whether a URL means the file at this path of this repository: a page of GitHub, GitLab, Gitea or Bitbucket, or
 * raw.githubusercontent.com, whichever the branch. The URL is the sender's word: it may rank a runbook, and never makes one act.
 */
export function isFileOfUrl(
  url: string,
  { repository, repositoryPath }: { readonly repository: string | null; readonly repositoryPath: string | null },
): boolean {
  const asked = read(url);
  return asked !== null && repository !== null && repositoryPath !== null && names(asked, repository, repositoryPath);
}

function read(url: string): { host: string; path: string } | null {
  if (url.length > URL_LENGTH_MAX) return null;
  try {
    const { host, pathname, protocol } = new URL(url.trim());
    if (protocol !== 'https:' && protocol !== 'http:') return null;
    const path = decodeURIComponent(pathname).replace(/\/+$/, '');
    // Which no path holds, and no database.
    return path.includes('\0') ? null : { host: host.toLowerCase(), path };
  } catch {
    return null;
  }
}

function names({ host, path }: { host: string; path: string }, repository: string, repositoryPath: string): boolean {
  const home = homeOf(repository);
  if (!home) return false;
  const isRaw = host === 'raw.githubusercontent.com' && home.host === 'github.com';
  if (host !== home.host && !isRaw) return false;
  const root = `/${home.path}`;
  if (path.slice(0, root.length).toLowerCase() !== root.toLowerCase()) return false;
  const rest = path.slice(root.length);
  const view = isRaw ? '/' : VIEWS.find((one) => rest.startsWith(one));
  if (view === undefined || !rest.startsWith(view)) return false;
  const after = rest.slice(view.length);
  // What is left in front of the path is the ref.
  return after.endsWith(`/${repositoryPath}`) && after.length > repositoryPath.length + 1;
}

/** Host and path of a repository, however its URL is written. */
function homeOf(repository: string): { host: string; path: string } | null {
  const [, host, path] =
    /^[a-z+]+:\/\/(?:[^/@]*@)?([^/]+)\/(.+)$/i.exec(repository) ?? /^(?:[^/@]+@)?([^/:]+):(.+)$/.exec(repository) ?? [];
  if (host === undefined || path === undefined) return null;
  const port = /^ssh:/i.test(repository) ? /:\d+$/ : /:443$/;
  return { host: host.replace(port, '').toLowerCase(), path: path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '') };
}
