// Runs a WASI program under node: `node run.mjs FILE ARGS…`.
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { WASI } from 'node:wasi';

const args = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args, preopens: {}, returnOnExit: false });
const module = await WebAssembly.compile(await readFile(args[0]));
wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
