/** The foreign server as a program of its own, as an operator would configure it: `node foreign-process.ts FOLDER`. */
import { createForeignServer } from './foreign-server.ts';

createForeignServer({ world: process.argv[2] ?? '.', uses: 'ext1', append: () => {} });
