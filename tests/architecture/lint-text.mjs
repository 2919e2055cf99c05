/** Lints texts as if they stood at given paths: JSON of [{filePath, text}] on stdin, JSON of rule ids per text on stdout. A process of its own, for jest cannot load an ES module config. */
import { text } from 'node:stream/consumers';
import { ESLint } from 'eslint';

// Under CI the parser takes itself for a single run over unchanging files and would see the files on disk, not the texts.
const parserOptions = { disallowAutomaticSingleRunInference: true };
const eslint = new ESLint({ overrideConfig: { languageOptions: { parserOptions } } });
const planted = JSON.parse(await text(process.stdin));
const found = [];
for (const each of planted) {
  const [result] = await eslint.lintText(each.text, { filePath: each.filePath });
  found.push([...new Set(result.messages.map(({ ruleId }) => ruleId ?? 'fatal'))]);
}
process.stdout.write(JSON.stringify(found));
