// SPDX-License-Identifier: Apache-2.0
// Looks at Kubernetes objects (a JSON list on stdin) by the schemas of npm's kubernetes-models,
// which is in the directory of the argument. Twice: its validators know types, required fields and
// forms; they let unknown keys pass, so its type declarations are put before each object as a
// literal, where TypeScript refuses a key that is not declared. Prints a JSON list of complaints.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const place = path.resolve(process.argv[2]);
const require = createRequire(path.join(place, "package.json"));
const ts = require("typescript");
const objects = JSON.parse(fs.readFileSync(0, "utf8"));
const complaints = [];

function moduleOf(object) {
  const core = object.apiVersion === "v1";
  const base = object.apiVersion.startsWith("monitoring.coreos.com/")
    ? "@kubernetes-models/prometheus-operator"
    : "kubernetes-models";
  return `${base}/${core ? "v1" : object.apiVersion}`;
}

function nameOf(object) {
  return `${object.kind} ${object.metadata?.name}`;
}

function validate(object) {
  let model;
  try {
    model = require(`${moduleOf(object)}/${object.kind}`)[object.kind];
  } catch (error) {
    complaints.push(`${nameOf(object)}: there is no ${object.apiVersion} ${object.kind}`);
    return false;
  }
  try {
    new model(object).validate();
  } catch (error) {
    complaints.push(`${nameOf(object)}: ${error.message}`);
  }
  return true;
}

function declare(known) {
  const file = path.join(place, `check-${process.pid}.ts`);
  const lines = known.map((object, i) => {
    const type = `import("${moduleOf(object)}/${object.kind}").I${object.kind}`;
    return `export const o${i}: ${type} = ${JSON.stringify(object)};`;
  });
  fs.writeFileSync(file, lines.join("\n"));
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10,
    noEmit: true, skipLibCheck: true, strict: true, target: ts.ScriptTarget.ES2020, types: [],
  });
  for (const found of ts.getPreEmitDiagnostics(program)) {
    const line = found.file?.fileName === file
      ? found.file.getLineAndCharacterOfPosition(found.start).line : -1;
    const text = ts.flattenDiagnosticMessageText(found.messageText, " ");
    complaints.push(`${line < 0 ? "declarations" : nameOf(known[line])}: ${text}`);
  }
  fs.unlinkSync(file);
}

declare(objects.filter(validate));
process.stdout.write(JSON.stringify(complaints));
