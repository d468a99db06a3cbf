// Copies the browser builds of the pinned libraries from node_modules to static/vendor/, with their licences, and writes the
// import map the page uses (static/vendor/importmap.json). Run after `npm ci`; the folder is never committed.

import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const target = join(here, "static", "vendor");
const address = "/static/vendor/";

/** Bare name in our modules → the file that serves it, from the package's root. */
const LIBRARIES = {
  preact: ["preact", "dist/preact.mjs"],
  "preact/hooks": ["preact", "hooks/dist/hooks.mjs"],
  htm: ["htm", "dist/htm.mjs"],
  "@preact/signals-core": ["@preact/signals-core", "dist/signals-core.mjs"],
  "@preact/signals": ["@preact/signals", "dist/signals.mjs"],
  "socket.io-client": ["socket.io-client", "dist/socket.io.esm.min.js"],
  // The standalone build carries fancy-canvas, its only dependency.
  "lightweight-charts": ["lightweight-charts", "dist/lightweight-charts.standalone.production.mjs"],
  uplot: ["uplot", "dist/uPlot.esm.js"],
};
const STYLES = { "uplot.css": ["uplot", "dist/uPlot.min.css"] };

const version = async (name) => JSON.parse(await readFile(join(modules, name, "package.json"), "utf8")).version;

/** The name carries the version, so that a browser may keep the file for ever. */
const fileName = async (bare, name) => `${bare.replaceAll("@", "").replaceAll("/", "-")}-${await version(name)}.mjs`;

async function copyLibraries() {
  // Our own modules, by the name that package.json gives them too: a page's folder lies elsewhere than its address says.
  const imports = { "#app/": "/static/js/" };
  for (const [bare, [name, path]] of Object.entries(LIBRARIES)) {
    const file = await fileName(bare, name);
    const code = await readFile(join(modules, name, path), "utf8");
    // The maps are not copied: a browser's tools would ask for them in vain.
    await writeFile(join(target, file), code.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n"));
    imports[bare] = address + file;
  }
  await writeFile(join(target, "importmap.json"), `${JSON.stringify({ imports }, null, 2)}\n`);
}

async function copyLicences() {
  const parts = [];
  const names = [...new Set(Object.values(LIBRARIES).map(([name]) => name))].sort();
  for (const name of names) {
    const found = (await readdir(join(modules, name))).filter((file) => /^licen[cs]e/i.test(file)).sort();
    const text = found.length ? await readFile(join(modules, name, found[0]), "utf8") : "See the package on the npm registry.";
    parts.push(`${name} ${await version(name)}\n\n${text.trim()}\n`);
  }
  await writeFile(join(target, "LICENCES.txt"), parts.join(`\n${"-".repeat(80)}\n\n`));
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await copyLibraries();
for (const [file, [name, path]] of Object.entries(STYLES)) await copyFile(join(modules, name, path), join(target, file));
await copyLicences();
