/**
 * The pure first look at a request: method, target in origin or absolute form, path decoded exactly once, query.
 * Everything a client wrote is untrusted: lengths are checked before any work, and a path that could mean something
 * else to a file system (NUL, control characters, `\`, `..`) is refused here, before a route sees it.
 * Empty and `.` segments vanish: firmware and shim ask for `//grubx64.efi` after joining names.
 */
export type BootHttpMethod = 'GET' | 'HEAD';

export interface BootHttpRequest {
  readonly method: BootHttpMethod;
  /** Decoded segments; none is empty, `.` or `..`. */
  readonly segments: readonly string[];
  /** Decoded; the first of several values counts. */
  readonly query: ReadonlyMap<string, string>;
}

export interface BadRequest {
  readonly status: 400 | 405 | 414;
  readonly problem: string;
}

/** Longest target: a boot path with a machine's identity has some 200 characters. */
export const MAX_TARGET_LENGTH = 4096;
const MAX_PARAMETERS = 32;
/** Longest value; SMBIOS strings have at most 64. The rest is cut. */
const MAX_VALUE_LENGTH = 256;

export function readRequest(method: string, target: string): BootHttpRequest | BadRequest {
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, problem: 'only GET and HEAD are served here' };
  }
  if (target.length > MAX_TARGET_LENGTH) {
    return { status: 414, problem: `the request target is longer than ${MAX_TARGET_LENGTH} characters` };
  }
  const local = originForm(target);
  if (local === undefined)
    return { status: 400, problem: 'the request target is neither a path nor an http URL' };
  const mark = local.indexOf('?');
  const segments = readSegments(mark === -1 ? local : local.slice(0, mark));
  if (typeof segments === 'string') return { status: 400, problem: segments };
  return { method, segments, query: readQuery(mark === -1 ? '' : local.slice(mark + 1)) };
}

/** Proxies and some firmware send the absolute form (RFC 9112 section 3.2.2); its host is of no interest. */
function originForm(target: string): string | undefined {
  const fragmentless = target.split('#', 1)[0] ?? '';
  if (fragmentless.startsWith('/')) return fragmentless;
  const absolute = /^https?:\/\/[^/?]*/i.exec(fragmentless);
  if (absolute === null) return undefined;
  const rest = fragmentless.slice(absolute[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The segments, or what is wrong with the path. */
function readSegments(path: string): readonly string[] | string {
  // Decoded once and as a whole: `%252e` stays `%2e`, and `%2f` is a separator like any other.
  const decoded = percentDecode(path);
  if (decoded === undefined) return 'the path has a broken percent code';
  if (/[\u0000-\u001f\u007f\\]/.test(decoded)) return 'the path has a control character or a backslash';
  const segments = decoded.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.includes('..') ? 'the path has a ".." segment' : segments;
}

/** Total: a broken percent code leaves the text as it came, because a machine must get an answer it can run. */
function readQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const part of text.split('&').slice(0, MAX_PARAMETERS)) {
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals);
    const raw = equals === -1 ? '' : part.slice(equals + 1);
    if (name === '' || query.has(name)) continue;
    query.set(name, (percentDecode(raw) ?? raw).slice(0, MAX_VALUE_LENGTH));
  }
  return query;
}

function percentDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
