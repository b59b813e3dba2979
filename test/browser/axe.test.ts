/** Every page at both widths in both looks: axe finds nothing wrong, and nothing is wider than the screen. */
import { describe, expect, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('every page', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it.each(['dark', 'light'] as const)('is clean for axe, %s', async (look) => {
      const watched = await scene.enter({ size, look, token: scene.tokens.admin });
      const { page } = watched;
      const { healed } = scene.incidents;
      const waiting = await scene.waiting();
      const service = `/runbooks/view?path=service-down.md&from=15&to=18`;
      const paths = [
        '/',
        `/incidents/${healed}`,
        `/incidents/${waiting}`,
        '/incidents',
        '/runbooks',
        service,
        '/policy',
        '/insights',
        '/audit',
        '/sessions',
        '/no-such-page',
      ];
      for (const path of paths) {
        await page.goto(path);
        await page.locator('main h1').waitFor();
        await show(watched, `page${path.replace(/\W+/g, '-')}`);
        expect(
          await page.evaluate('document.documentElement.scrollWidth - window.innerWidth'),
          path,
        ).toBeLessThanOrEqual(0);
      }
    });
  });
});
