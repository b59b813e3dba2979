/**
 * The part of XML-RPC that supervisord speaks: int, boolean, string, double, array and struct.
 * @see http://xmlrpc.com/spec.md
 */
import { XMLParser } from 'fast-xml-parser';
import { messageOf } from '../../errors.ts';
import { toolFailed } from '../tool.ts';
import { escapeText, isXmlText, unescapeText } from './xml-text.ts';

export type XmlRpcValue = number | boolean | string | readonly XmlRpcValue[] | { readonly [name: string]: XmlRpcValue };

export interface XmlRpcFault {
  readonly code: number;
  readonly message: string;
}

/** What a call came to: a value, or a fault that the other side declared. */
export type XmlRpcOutcome =
  | { readonly kind: 'value'; readonly value: XmlRpcValue }
  | { readonly kind: 'fault'; readonly fault: XmlRpcFault };

const DEPTH_MAX = 64;
const INT_MAX = 2 ** 31 - 1;
const INT_MIN = -(2 ** 31);
const METHOD = /^[A-Za-z0-9_.:/]{1,255}$/;
const DECLARATION = '<?xml version="1.0"?>';

/** Writes a method call. @throws NightshiftError `tool_failed` for a value that XML-RPC cannot carry. */
export function encodeCall(method: string, params: readonly XmlRpcValue[]): string {
  if (!METHOD.test(method)) throw toolFailed(`XML-RPC has no method name ${JSON.stringify(method)}`);
  const list = params.map((param) => `<param>${encodeValue(param)}</param>`).join('');
  return `${DECLARATION}<methodCall><methodName>${method}</methodName><params>${list}</params></methodCall>`;
}

/** Writes the answer to a call. @throws NightshiftError `tool_failed` for a value that XML-RPC cannot carry. */
export function encodeResponse(value: XmlRpcValue): string {
  return `${DECLARATION}<methodResponse><params><param>${encodeValue(value)}</param></params></methodResponse>`;
}

/** Writes a fault as the answer to a call. @throws NightshiftError `tool_failed` for a message that XML cannot carry. */
export function encodeFault({ code, message }: XmlRpcFault): string {
  const value = encodeValue({ faultCode: code, faultString: message });
  return `${DECLARATION}<methodResponse><fault>${value}</fault></methodResponse>`;
}

function encodeValue(value: XmlRpcValue): string {
  if (typeof value === 'boolean') return `<value><boolean>${value ? 1 : 0}</boolean></value>`;
  if (typeof value === 'number') return `<value>${encodeNumber(value)}</value>`;
  if (typeof value === 'string') return `<value><string>${encodeText(value)}</string></value>`;
  if (Array.isArray(value)) return `<value><array><data>${value.map(encodeValue).join('')}</data></array></value>`;
  const members = Object.entries(value).map(
    ([name, member]) => `<member><name>${encodeText(name)}</name>${encodeValue(member)}</member>`,
  );
  return `<value><struct>${members.join('')}</struct></value>`;
}

function encodeNumber(value: number): string {
  if (!Number.isFinite(value)) throw toolFailed(`XML-RPC cannot carry the number ${value}`);
  const isInt = Number.isInteger(value) && value >= INT_MIN && value <= INT_MAX;
  return isInt ? `<int>${value}</int>` : `<double>${value}</double>`;
}

function encodeText(text: string): string {
  if (!isXmlText(text))
    throw toolFailed(`XML cannot carry the control characters in ${JSON.stringify(text.slice(0, 80))}`);
  return escapeText(text);
}

/** Reads a method call. @throws NightshiftError `tool_failed` saying what is not XML-RPC about it. */
export function decodeCall(xml: string): { method: string; params: XmlRpcValue[] } {
  const children = elementsIn(root(xml, 'methodCall'), ['methodName', 'params']);
  const name = children.find(({ tag }) => tag === 'methodName');
  const method = name ? textIn(name) : '';
  if (!METHOD.test(method)) throw malformed(`the method name ${JSON.stringify(method.slice(0, 80))} is not one`);
  const params = children.find(({ tag }) => tag === 'params');
  return {
    method,
    params: params ? elementsIn(params, ['param']).map((param) => decodeValue(only(param, 'value'))) : [],
  };
}

/** Reads the answer to a call: a value or a fault. @throws NightshiftError `tool_failed` saying what is not XML-RPC about it. */
export function decodeResponse(xml: string): XmlRpcOutcome {
  const answer = only(root(xml, 'methodResponse'), 'params', 'fault');
  if (answer.tag === 'params') return { kind: 'value', value: decodeValue(only(only(answer, 'param'), 'value')) };
  const fault = decodeValue(only(answer, 'value')) as { faultCode?: unknown; faultString?: unknown };
  const { faultCode: code, faultString: message } = fault;
  if (typeof code !== 'number' || typeof message !== 'string')
    throw malformed('a fault lacks faultCode or faultString');
  return { kind: 'fault', fault: { code, message } };
}

interface XmlElement {
  readonly tag: string;
  readonly nodes: readonly (XmlElement | string)[];
}

/** Reads well-formed XML without a document type, so that no entity can be declared, let alone expanded. */
function root(xml: string, tag: string): XmlElement {
  if (/<!(DOCTYPE|ENTITY)/i.test(xml)) throw malformed('it declares a document type');
  if (!isXmlText(xml)) throw malformed('it contains control characters');
  const parser = new XMLParser({
    preserveOrder: true,
    trimValues: false,
    parseTagValue: false,
    processEntities: false,
    ignoreAttributes: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    cdataPropName: '#cdata',
    maxNestedTags: DEPTH_MAX * 6,
  });
  let nodes: unknown;
  try {
    nodes = parser.parse(xml, true);
  } catch (cause) {
    throw malformed(messageOf(cause).slice(0, 200), cause);
  }
  return only({ tag: 'document', nodes: nodesOf(nodes) }, tag);
}

/** Turns the parser's ordered form, a list of single-key objects, into elements and their decoded text. */
function nodesOf(list: unknown): (XmlElement | string)[] {
  return (list as Record<string, unknown>[]).flatMap((node): (XmlElement | string)[] =>
    Object.entries(node).map(([tag, content]) => {
      if (tag === '#text') return decodeText(String(content));
      if (tag === '#cdata')
        return (content as { '#text'?: unknown }[]).map((part) => String(part['#text'] ?? '')).join('');
      return { tag, nodes: nodesOf(content) };
    }),
  );
}

function decodeText(text: string): string {
  const decoded = unescapeText(text);
  if (decoded === undefined) throw malformed(`${JSON.stringify(text.slice(0, 80))} refers to an unknown entity`);
  return decoded;
}

function elementsIn(parent: XmlElement, tags: readonly string[]): XmlElement[] {
  return parent.nodes.flatMap((node) => {
    if (typeof node === 'string') {
      if (node.trim() !== '') throw malformed(`there is text in <${parent.tag}>`);
      return [];
    }
    if (!tags.includes(node.tag)) throw malformed(`there is a <${node.tag}> in <${parent.tag}>`);
    return [node];
  });
}

function only(parent: XmlElement, ...tags: string[]): XmlElement {
  const [element, ...others] = elementsIn(parent, tags);
  if (!element || others.length > 0)
    throw malformed(`<${parent.tag}> does not hold exactly one <${tags.join('> or <')}>`);
  return element;
}

function textIn({ tag, nodes }: XmlElement): string {
  if (nodes.some((node) => typeof node !== 'string')) throw malformed(`there is an element in <${tag}>`);
  return nodes.join('');
}

function decodeValue(value: XmlElement, depth = 0): XmlRpcValue {
  if (depth > DEPTH_MAX) throw malformed(`its values nest more than ${DEPTH_MAX} deep`);
  // A value without a type is a string.
  if (value.nodes.every((node) => typeof node === 'string')) return value.nodes.join('');
  const typed = only(value, 'int', 'i4', 'boolean', 'string', 'double', 'array', 'struct');
  if (typed.tag === 'string') return textIn(typed);
  if (typed.tag === 'array') {
    return elementsIn(only(typed, 'data'), ['value']).map((item) => decodeValue(item, depth + 1));
  }
  if (typed.tag === 'struct') return decodeStruct(typed, depth);
  return decodeScalar(typed.tag, textIn(typed));
}

function decodeStruct(struct: XmlElement, depth: number): XmlRpcValue {
  const members = elementsIn(struct, ['member']).map((member): [string, XmlRpcValue] => {
    const parts = elementsIn(member, ['name', 'value']);
    const [name, value] = ['name', 'value'].map((tag) => parts.find((part) => part.tag === tag));
    if (!name || !value || parts.length !== 2) throw malformed('a member lacks its name or its value');
    return [textIn(name), decodeValue(value, depth + 1)];
  });
  if (new Set(members.map(([name]) => name)).size < members.length) throw malformed('a struct names a member twice');
  return Object.fromEntries(members);
}

function decodeScalar(tag: string, text: string): XmlRpcValue {
  if (tag === 'boolean' && (text === '0' || text === '1')) return text === '1';
  if (tag === 'double' && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/.test(text)) {
    const number = Number(text);
    if (Number.isFinite(number)) return number;
  }
  if ((tag === 'int' || tag === 'i4') && /^[+-]?\d{1,10}$/.test(text)) {
    const number = Number(text);
    if (number >= INT_MIN && number <= INT_MAX) return number;
  }
  throw malformed(`${JSON.stringify(text.slice(0, 80))} is not a value of type ${tag}`);
}

function malformed(why: string, cause?: unknown) {
  return toolFailed(`this is not XML-RPC: ${why}`, { cause });
}
