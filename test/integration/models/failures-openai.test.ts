import { describeFailures } from './failure-matrix.ts';

describeFailures('openai');
