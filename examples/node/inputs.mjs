// SPDX-License-Identifier: Apache-2.0
// What a program here is given: variables and files. What is missing or cannot be read ends the
// program with one line.
import { readFileSync } from 'node:fs';

// |usage|: 'A_VARIABLE=... node program.mjs FILE'. What each of |readers| makes of its file's text.
export function inputs(usage, ...readers) {
  try {
    for (const [name] of usage.matchAll(/\w+(?==\.\.\.)/g))
      if (!process.env[name]) throw new Error(name + ' is not set');
    return readers.map((read, i) => {
      const path = process.argv[2 + i];
      if (!path) throw new Error('a file is missing');
      return read(readFileSync(path, 'utf8'));
    });
  } catch (error) {
    console.error(`${error.message.split('\n')[0]}; usage: ${usage}`);
    return process.exit(2);
  }
}
