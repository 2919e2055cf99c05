/** `key=value` as it is typed. What a key and a value may hold is the API's to say. */
import { invalidOption } from './usage-error';

export function splitTag(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw invalidOption('--tag', `must be key=value, not "${text}"`);
  return [text.slice(0, at), text.slice(at + 1)];
}
