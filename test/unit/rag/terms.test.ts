import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { terms } from '../../../src/rag/terms.ts';

describe('terms', () => {
  it.each([
    ['KubePodCrashLooping', ['kube', 'pod', 'crash', 'looping', 'kubepodcrashlooping']],
    ['kube_pod_crash_looping', ['kube', 'pod', 'crash', 'looping', 'kubepodcrashlooping']],
    ['kube-pod-crash-looping', ['kube', 'pod', 'crash', 'looping', 'kubepodcrashlooping']],
    ['etcdHTTPRequests', ['etcd', 'http', 'request', 'etcdhttprequests']],
    ['HTTP5xx K8s S3 EC2 p99', ['http', '5xx', 'http5xx', 'k8s', 's3', 'ec2', 'p99']],
    ['PodCIDRs and APIs', ['pod', 'cidr', 'podcidrs', 'api']],
    ['The disk of the node is full', ['disk', 'node', 'full']],
    ['is not up', ['not', 'up']],
    ['batches, processes, statuses, entries, replicas', ['batch', 'process', 'status', 'entry', 'replica']],
    ['class bus dns', ['class', 'bus', 'dns']],
    ['503 for 12 s, 1.17%', ['503']],
    ['checkout-6b8c9d7f54-9qz7m', ['checkout']],
    ['Überlastung größer', ['überlastung', 'größer']],
    ['ＦＵＬＬ width', ['full', 'width']],
    ['', []],
    ['--- ... 🔥', []],
  ])('takes %j apart', (text, expected) => {
    expect(terms(text)).toEqual(expected);
  });

  it('gives only lower-case letters, digits and marks, of bounded length, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        for (const term of terms(text)) {
          expect(term).toMatch(/^[\p{L}\p{N}\p{M}]{1,64}$/u);
          expect(term).toBe(term.toLowerCase());
        }
      }),
    );
  });

  it('leaves out what is too long to be a word', () => {
    expect(terms('x'.repeat(65))).toEqual([]);
    expect(terms('x'.repeat(64))).toHaveLength(1);
  });
});
