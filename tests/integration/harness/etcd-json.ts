/**
 * etcd's own JSON gateway, for what tests do behind the product's back: wipe, compact, plant. Not the client under test,
 * so a fault of that client cannot hide itself. Keys and values are text here and base64 on the wire.
 */

const TEXT_FIELDS = ['key', 'range_end', 'value'];

export async function callEtcd(
  endpoint: string,
  method: string,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  const encoded = Object.entries(body).map(([name, value]) => [
    name,
    TEXT_FIELDS.includes(name) ? Buffer.from(String(value)).toString('base64') : value,
  ]);
  const answer = await fetch(`${endpoint}/v3/${method}`, {
    method: 'POST',
    body: JSON.stringify(Object.fromEntries(encoded)),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`etcd answers ${answer.status} to ${method}: ${text}`);
}
