#!/usr/bin/env node
/**
 * Fails where code stands twice: 8 lines and 60 tokens alike. It looks at what ships and at what builds it; tests say the same things on
 * purpose. Usage: node scripts/find-duplicates.mjs [FOLDER...]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import { Detector, getDefaultOptions, MemoryStore } from '@jscpd/core';
import { Tokenizer } from '@jscpd/tokenizer';

const FORMATS = { '.ts': 'typescript', '.tsx': 'tsx', '.mjs': 'javascript' };
const root = join(import.meta.dirname, '..');
const given = process.argv.slice(2);
const folders =
  given.length > 0 ? given : ['src', 'web/src', 'demo', 'bin', 'scripts'].map((folder) => join(root, folder));

const options = { ...getDefaultOptions(), minLines: 8, minTokens: 60 };
const detector = new Detector(new Tokenizer(), new MemoryStore(), [], options);
let lines = 0;
const clones = [];
for (const folder of folders)
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const format = FORMATS[extname(path)];
    if (format === undefined || basename(path).startsWith('.')) continue;
    const text = readFileSync(join(folder, path), 'utf8');
    lines += text.split('\n').length;
    clones.push(...(await detector.detect(join(folder, path), text, format)));
  }

const place = ({ sourceId, start, end }) => `${relative(root, sourceId)}:${start.line}-${end.line}`;
for (const { duplicationA, duplicationB } of clones)
  console.log(
    `${place(duplicationA)} stands at ${place(duplicationB)} as well. Fix: write it once, where both may import it`,
  );
console.log(`${clones.length} duplicates in ${lines} lines`);
if (lines === 0 || clones.length > 0) process.exit(1);
