/** Finds out whether a remedy worked, or whether it is over: recovered, unchanged, or a person's matter. Only ever reads. */
export { createVerify, type VerifyDependencies } from './verify.ts';
