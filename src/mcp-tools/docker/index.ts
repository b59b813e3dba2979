/** Looks at the containers of a Docker Engine and starts, restarts, stops and removes them by name. It makes no container, runs nothing inside one and touches no image or volume. */
import { compileManifest } from '../manifest/compile.ts';
import { httpDriver } from '../manifest/http.ts';
import { loadManifests } from '../manifest/load.ts';
import { defineToolset } from '../tool.ts';
import { explainError } from './explain-error.ts';
import { logs } from './logs.ts';
import { type DockerSettings, dockerSettingsSchema, endpointOf } from './settings.ts';

const drivers = { http: httpDriver<DockerSettings>('Docker', endpointOf, explainError) };

export const dockerToolset = defineToolset<DockerSettings>({
  name: 'docker',
  description: 'Looks at containers of a Docker Engine, and starts, restarts, stops and removes them.',
  settings: dockerSettingsSchema,
  tools: [
    ...loadManifests(import.meta.dirname).map((manifest) => compileManifest<DockerSettings>(manifest, drivers)),
    logs,
  ],
});
