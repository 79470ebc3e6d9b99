/** One content part of a Goose message. */
type Part = { readonly type: string; readonly [field: string]: unknown };

const DEMO_STARTED = 1_790_000_000;

function message(id: string, role: 'assistant' | 'user', parts: readonly Part[]): string {
  const metadata = { userVisible: true, agentVisible: true };
  return JSON.stringify({
    type: 'message',
    message: { id, role, created: DEMO_STARTED, content: parts, metadata },
  });
}

/** Model text as it streams: one line per word or two. */
function says(id: string, text: string): string[] {
  const pieces = text.match(/(?:\S+\s*){1,2}/g) ?? [];
  return pieces.map((piece) => message(id, 'assistant', [{ type: 'text', text: piece }]));
}

function thinks(id: string, thinking: string): string {
  return message(id, 'assistant', [{ type: 'thinking', thinking, signature: '' }]);
}

interface Call {
  readonly id: string;
  readonly name: string;
  readonly extension: string;
  readonly input: Readonly<Record<string, unknown>>;
}

function calls(id: string, call: Call): string {
  return message(id, 'assistant', [
    {
      type: 'toolRequest',
      id: call.id,
      toolCall: {
        status: 'success',
        value: { name: call.name, arguments: call.input },
      },
      _meta: { goose_extension: call.extension },
    },
  ]);
}

function answers(id: string, callId: string, text: string, isError = false): string {
  const value = {
    content: [{ type: 'text', text, annotations: { priority: 0 } }],
    isError,
  };
  return message(id, 'user', [
    {
      type: 'toolResponse',
      id: callId,
      toolResult: { status: 'success', value },
    },
  ]);
}

function progresses(callId: string, progress: number, total: number, text: string): string {
  return JSON.stringify({
    type: 'notification',
    extension_id: callId,
    progress: { progress, total, message: text },
  });
}

function logs(callId: string, text: string): string {
  return JSON.stringify({
    type: 'notification',
    extension_id: callId,
    log: { message: text },
  });
}

/**
 * The output of a short, invented Goose run with `--output-format stream-json`, as lines without line ends:
 * an agent finds out why a shop's delivery dates are a day early in some time zones, fixes the bug, and tests
 * the fix.
 */
export const DEMO_TRANSCRIPT: readonly string[] = [
  thinks('msg_01', 'A date that is one day early smells like midnight UTC read in local time.'),
  ...says('msg_02', "I'll look into the delivery dates 📦. First the house rules for this repository."),
  calls('msg_02', {
    id: 'call_skill',
    name: 'load_skill',
    extension: 'skills',
    input: { name: 'careful-bugfix' },
  }),
  answers(
    'msg_03',
    'call_skill',
    '# Loaded Skill: careful-bugfix (skill)\n\n1. Reproduce first.\n2. Change as little as possible.\n3. Leave a test behind.\n',
  ),
  ...says('msg_04', 'Good: reproduce first. Where are the dates made?'),
  calls('msg_04', {
    id: 'call_search',
    name: 'shell',
    extension: 'developer',
    input: { command: 'rg -n "deliveryDate" src' },
  }),
  logs('call_search', 'searching 214 files'),
  answers(
    'msg_05',
    'call_search',
    'src/orders/delivery.ts:18:export function deliveryDate(order: Order): string {\nsrc/orders/summary.ts:44:  const due = deliveryDate(order);\n',
  ),
  ...says('msg_06', 'One function, one caller. I run its tests in a zone west of Greenwich.'),
  calls('msg_06', {
    id: 'call_test',
    name: 'shell',
    extension: 'developer',
    input: { command: 'TZ=America/Lima npm test -- delivery' },
  }),
  progresses('call_test', 3, 9, 'delivery: 3 of 9 tests'),
  progresses('call_test', 7, 9, 'delivery: 7 of 9 tests'),
  answers(
    'msg_07',
    'call_test',
    '✗ delivery › keeps the day in every zone\n  expected 2031-03-09\n  received 2031-03-08\n\n8 passed, 1 failed',
    true,
  ),
  thinks('msg_08', 'Confirmed. The date has no time of day, so it should never pass through a zone.'),
  ...says(
    'msg_09',
    'Reproduced ❌: the day slips back by one. The date is parsed as midnight UTC and then' +
      ' formatted in local time. I format it in UTC instead.',
  ),
  calls('msg_09', {
    id: 'call_edit',
    name: 'edit',
    extension: 'developer',
    input: {
      path: 'src/orders/delivery.ts',
      before: "return format(due, 'yyyy-MM-dd');",
      after: 'return due.toISOString().slice(0, 10);',
    },
  }),
  answers('msg_10', 'call_edit', 'Edited src/orders/delivery.ts (1 line changed)'),
  ...says('msg_11', 'Now the same tests again.'),
  calls('msg_11', {
    id: 'call_retest',
    name: 'shell',
    extension: 'developer',
    input: { command: 'TZ=America/Lima npm test -- delivery' },
  }),
  progresses('call_retest', 5, 9, 'delivery: 5 of 9 tests'),
  progresses('call_retest', 9, 9, 'delivery: 9 of 9 tests'),
  answers('msg_12', 'call_retest', '9 passed'),
  ...says(
    'msg_13',
    'All nine pass ✅. Delivery dates now keep their day in every time zone 🌍,' +
      ' and the test that caught it stays.',
  ),
  JSON.stringify({
    type: 'complete',
    total_tokens: 6184,
    input_tokens: 5702,
    output_tokens: 482,
    cost_usd: 0.0243,
  }),
];
