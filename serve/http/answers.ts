import type { FastifyReply } from 'fastify';
import type { Problem } from '../../core/problem.ts';
import type { ServedProblems } from '../../core/served-job.ts';

/** What went wrong with a request: a sentence, and where in the body there is something to mend. */
export const problemsBody = (error: string, problems: readonly Problem[] = []): ServedProblems => ({ error, problems });

export const sendProblems = (reply: FastifyReply, status: number, error: string, problems: readonly Problem[] = []): FastifyReply =>
  reply.code(status).send(problemsBody(error, problems));

export const sendUnknownJob = (reply: FastifyReply, name: string): FastifyReply => sendProblems(reply, 404, `there is no job ${name}`);
