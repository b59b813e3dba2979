import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeCall,
  decodeResponse,
  encodeCall,
  encodeFault,
  encodeResponse,
  type XmlRpcValue,
} from '../../../src/mcp-tools/supervisor/index.ts';

/** Unicode text with what XML escapes and what its parsers like to change: markup, entities, line ends, outer spaces. */
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '<',
        '>',
        '&',
        '&amp;',
        '&#60;',
        ']]>',
        '"',
        "'",
        '\r',
        '\r\n',
        '\n',
        '\t',
        ' ',
        '__proto__',
        '😀',
      ),
    ),
    {
      maxLength: 6,
    },
  )
  .map((parts) => parts.join(''))
  .filter((joined) => Array.from(joined).every(isXmlCharacter));

function isXmlCharacter(character: string): boolean {
  // The production Char of XML 1.0, written out.
  const code = character.codePointAt(0) ?? 0;
  return (
    [0x9, 0xa, 0xd].includes(code) ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    code >= 0x10000
  );
}

const { value } = fc.letrec<{ value: XmlRpcValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.boolean(),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 4 }).map((members): XmlRpcValue => Object.fromEntries(members)),
  ),
}));

describe('the XML-RPC codec', () => {
  it('gives back every value that it wrote', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(decodeResponse(encodeResponse(original))).toEqual({ kind: 'value', value: original });
        expect(decodeCall(encodeCall('supervisor.startProcess', [original, true]))).toEqual({
          method: 'supervisor.startProcess',
          params: [original, true],
        });
      }),
      { numRuns: 500 },
    );
  });

  it('gives back every fault that it wrote', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999 }), text, (code, message) => {
        expect(decodeResponse(encodeFault({ code, message }))).toEqual({ kind: 'fault', fault: { code, message } });
      }),
    );
  });

  it('refuses characters that XML cannot carry, written as they are or by number', () => {
    const illegal = [...Array(0x20).keys()]
      .filter((code) => ![9, 10, 13].includes(code))
      .concat([0xd800, 0xdfff, 0xfffe, 0xffff]);
    for (const code of illegal) {
      const bad = `a${String.fromCharCode(code)}b`;
      expect(() => encodeCall('m', [bad]), `U+${code.toString(16)}`).toThrow(/cannot carry the control characters/);
      expect(() => encodeResponse({ [bad]: 1 })).toThrow(/cannot carry/);
      expect(() => decodeResponse(wrap(`<string>${bad}</string>`))).toThrow(/not XML-RPC/);
      expect(() => decodeResponse(wrap(`<string>&#${code};</string>`))).toThrow(/unknown entity/);
    }
  });

  it('never breaks otherwise than in words of its own, whatever it reads', () => {
    const tag = fc.constantFrom(
      'methodResponse',
      'params',
      'param',
      'value',
      'int',
      'string',
      'struct',
      'member',
      'name',
      'array',
      'data',
      'fault',
    );
    const { xml } = fc.letrec<{ xml: string }>((tie) => ({
      xml: fc.oneof(
        { maxDepth: 8 },
        fc.constantFrom('1', 'text', '&amp;', '&x;', '<', '<!-- c -->', '<![CDATA[<b>]]>', '<?pi?>', '</value>', ''),
        fc
          .tuple(tag, fc.array(tie('xml'), { maxLength: 3 }))
          .map(([name, inner]) => `<${name}>${inner.join('')}</${name}>`),
      ),
    }));
    const read = (document: string) => {
      try {
        decodeResponse(document);
      } catch (error) {
        expect((error as Error).message).toMatch(/^this is not XML-RPC: /);
      }
    };
    fc.assert(fc.property(fc.oneof(xml, xml.map(wrap), fc.string()), read), { numRuns: 1000 });
  });

  it('reads what other implementations write', () => {
    // As CPython's xmlrpc.client does, which supervisord uses: line breaks between elements, no type for the method name.
    const written = `<?xml version='1.0'?>
<methodResponse>
<params>
<param>
<value><struct>
<member>
<name>name</name>
<value><string> check &lt;out&gt; &amp; co </string></value>
</member>
<member>
<name>pid</name>
<value><i4>-42</i4></value>
</member>
<member><name>list</name><value><array><data>
<value><boolean>1</boolean></value>
<value>untyped <![CDATA[<&lt;>]]></value>
<value></value>
<value><double>-1.5</double></value>
</data></array></value></member>
</struct></value>
</param>
</params>
</methodResponse>
`;
    expect(decodeResponse(written)).toEqual({
      kind: 'value',
      value: { name: ' check <out> & co ', pid: -42, list: [true, 'untyped <&lt;>', '', -1.5] },
    });
    expect(decodeCall('<methodCall><methodName>system.listMethods</methodName></methodCall>')).toEqual({
      method: 'system.listMethods',
      params: [],
    });
  });

  it('keeps a member called __proto__ a member', () => {
    const outcome = decodeResponse(
      wrap('<struct><member><name>__proto__</name><value><int>1</int></value></member></struct>'),
    );
    const decoded = outcome.kind === 'value' ? (outcome.value as object) : {};
    expect(Object.keys(decoded)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  });

  it.each([
    [
      'a document type',
      '<!DOCTYPE x [<!ENTITY a "b">]>'.concat(wrap('<string>&a;</string>')),
      /declares a document type/,
    ],
    ['an undeclared entity', wrap('<string>&nbsp;</string>'), /unknown entity/],
    ['a bare ampersand', wrap('<string>a & b</string>'), /'&' is not expected/],
    ['an unclosed element', '<methodResponse><params>', /methodResponse/],
    ['no XML', '{}', /./],
    ['nothing', '', /./],
    ['a call', encodeCall('m', []), /<methodCall>/],
    [
      'two values',
      '<methodResponse><params><param><value>1</value><value>2</value></param></params></methodResponse>',
      /exactly one <value>/,
    ],
    ['no params', '<methodResponse><params></params></methodResponse>', /exactly one <param>/],
    ['text between elements', wrap('<array>x<data></data></array>'), /text in <array>/],
    ['an element in a string', wrap('<string><b>x</b></string>'), /element in <string>/],
    ['an unknown type', wrap('<nil></nil>'), /<nil> in <value>/],
    ['two types', wrap('<int>1</int><int>2</int>'), /exactly one/],
    ['an int that is none', wrap('<int>1.5</int>'), /not a value of type int/],
    ['an int with spaces', wrap('<int> 1</int>'), /not a value of type int/],
    ['an int out of range', wrap('<int>2147483648</int>'), /not a value of type int/],
    ['a boolean that is none', wrap('<boolean>true</boolean>'), /not a value of type boolean/],
    ['an endless double', wrap('<double>1e999</double>'), /not a value of type double/],
    [
      'a member without a value',
      wrap('<struct><member><name>a</name></member></struct>'),
      /lacks its name or its value/,
    ],
    [
      'a member given twice',
      wrap(
        '<struct><member><name>a</name><value>1</value></member><member><name>a</name><value>2</value></member></struct>',
      ),
      /a member twice/,
    ],
    [
      'a fault without a code',
      '<methodResponse><fault><value><struct></struct></value></fault></methodResponse>',
      /lacks faultCode/,
    ],
    [
      'values that nest too deep',
      wrap(`${'<array><data><value>'.repeat(70)}1${'</value></data></array>'.repeat(70)}`),
      /nest|nested/i,
    ],
    ['elements that nest without end', `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`, /nest/i],
  ])('refuses %s', (_, xml, message) => {
    expect(() => decodeResponse(xml)).toThrow(/^this is not XML-RPC/);
    expect(() => decodeResponse(xml)).toThrow(message);
  });

  it.each(['', 'a b', 'a</methodName>', 'é'])('has no method called %j', (method) => {
    expect(() => encodeCall(method, [])).toThrow(/no method name/);
    expect(() => decodeCall(`<methodCall><methodName>${method}</methodName></methodCall>`)).toThrow(/not XML-RPC/);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('cannot carry %d', (number) => {
    expect(() => encodeResponse(number)).toThrow(/cannot carry the number/);
  });
});

function wrap(typed: string): string {
  return `<methodResponse><params><param><value>${typed}</value></param></params></methodResponse>`;
}
