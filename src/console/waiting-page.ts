/**
 * Renders the page that stands in until the console is built: it loads itself again every two seconds. Where the build failed it says so, and
 * not why: whoever sees it need not have signed in.
 */
export function renderWaiting(hasFailed: boolean): string {
  const [title, text] = hasFailed
    ? ['The console could not be built', 'The log of Nightshift says why. Fix: npm run console, and start it again.']
    : ['The console is being built', 'This takes a few seconds, once. The page appears by itself.'];
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="dark light">
    ${hasFailed ? '' : '<meta http-equiv="refresh" content="2">'}
    <title>${title} · Nightshift</title>
  </head>
  <body>
    <main>
      <h1>${title}</h1>
      <p role="status">${text}</p>
      <p>Alerts are taken and worked on meanwhile. The API, Slack and the command line do not need the console.</p>
    </main>
  </body>
</html>
`;
}
