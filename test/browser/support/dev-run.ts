import { writeFileSync } from 'node:fs';
import { setConsoleScene } from './console-scene.ts';

const s = await setConsoleScene();
writeFileSync('/tmp/h/scene.json', JSON.stringify({ url: s.url, tokens: s.tokens, incidents: s.incidents }));
process.on('SIGTERM', () => void s.stop().then(() => process.exit(0)));
setInterval(() => {}, 1000);
