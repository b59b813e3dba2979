/** Looks at the containers of a Docker Engine and starts, restarts, stops and removes them by name. It makes no container, runs nothing inside one and touches no image or volume. */
import { compileManifest } from '../manifest/compile.ts';
import { httpDriver } from '../manifest/http.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { reachText } from '../manifest/requests.ts';
import { defineToolset } from '../tool.ts';
import { explainError } from './explain-error.ts';
import { logs } from './logs.ts';
import { type DockerSettings, dockerSettingsSchema, endpointOf } from './settings.ts';

const drivers = { http: httpDriver<DockerSettings>('Docker', endpointOf, explainError) };

export const dockerToolset = defineToolset<DockerSettings>({
  name: 'docker',
  description: 'Looks at containers of a Docker Engine, and starts, restarts, stops and removes them.',
  settings: dockerSettingsSchema,
  privileges: ({ name, settings, tools }) =>
    reachText(
      [
        `Whoever reaches the Engine at ${settings.socket ?? settings.url} is root on its host: it has no smaller right to give.`,
        `Put a filtering proxy between, which ${name} reaches instead, and which allows these methods and paths and no others;`,
        'with a setting `containers`, only for those names. {id} is what the Engine answers for such a name.',
      ],
      tools,
    ),
  own: ownTools(drivers),
  tools: [
    ...loadManifests(import.meta.dirname).map((manifest) => compileManifest<DockerSettings>(manifest, drivers)),
    logs,
  ],
});
