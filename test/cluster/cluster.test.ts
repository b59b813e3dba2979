/** The stories of the kubernetes toolset on the cluster of KUBECONFIG, as its administrator: `npm run cluster`. */
import { resolve } from 'node:path';
import { describe } from 'vitest';
import { tellStories } from './stories.ts';

describe('the kubernetes toolset on the cluster of KUBECONFIG', () => {
  tellStories(() => {
    const file = process.env.KUBECONFIG;
    if (!file || file.includes(':'))
      throw new Error(
        'npm run cluster needs KUBECONFIG, the path of one kubeconfig whose current context is an administrator of a cluster to test on. It makes a namespace and nodes of its own there and removes them again',
      );
    return resolve(file);
  });
});
