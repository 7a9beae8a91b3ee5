import { type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type RequestHandler, type Response } from 'express';
import { AppError } from '../errors';
import { type RequestContext } from '../middleware/request-context';
import { plannedDelivery } from '../middleware/select-track';
import { describeError } from '../observability/logger';
import { describeOriginal, type SelectedTrack } from '../services/track-source';
import { type ChunkMemory } from '../streaming/chunk-memory';
import { type ByteSource } from '../streaming/representation';
import {
  planPrepared,
  prepareRepresentation,
  type PlanRequest,
  type ResponsePlan,
} from '../streaming/response-plan';
import {
  sendRepresentation,
  type SendOptions,
  type SendOutcome,
} from '../streaming/send-representation';

/** Plans the answer to a request for the stored original. */
export function planStream(request: PlanRequest, selected: SelectedTrack): ResponsePlan {
  const { original = prepareRepresentation(describeOriginal(selected), request.now) } = selected;
  return planPrepared(request, original);
}

/**
 * GET and HEAD /api/stream/:trackId, for a delivery that is planned and paid for.
 *
 * @param sendDerived for a track that is wanted in another form
 */
export function createStreamController(
  memory: ChunkMemory,
  sendDerived: RequestHandler,
): RequestHandler {
  return async (req, res, next) => {
    const { plan, selected, derivation } = plannedDelivery(req);
    if (derivation) {
      await sendDerived(req, res, next);
      return;
    }
    assertSatisfied(plan, res);
    await deliver(res, { plan, source: selected.track, memory }, req.context);
  };
}

/** @throws AppError for a plan that comes to an error answer */
export function assertSatisfied({ status, fields }: ResponsePlan, res: Response): void {
  if (status !== 412 && status !== 416) return;
  res.set(fields);
  throw status === 412
    ? new AppError('precondition_failed', 'The track is not in the state that was asked for')
    : new AppError('range_not_satisfiable', 'The track has none of these bytes');
}

export interface DeliveryOptions {
  readonly plan: ResponsePlan;
  readonly source: ByteSource;
  readonly memory: ChunkMemory;
  /** names and values in turn, where they are not set on the response */
  readonly commonFields?: readonly string[];
}

/**
 * Sends what was planned; the context learns how far it came.
 *
 * @throws AppError `track_unavailable` while another answer can still be given
 */
export async function deliver(
  res: ServerResponse,
  { plan, source, memory, commonFields }: DeliveryOptions,
  context: RequestContext,
): Promise<void> {
  context.entry.bytesSent = 0;
  context.entry.bytesDue = plan.contentLength;
  const options = new DeliveryProgress(context, res, memory, commonFields);
  const sending = sendRepresentation(res, plan, source, options);
  reportOutcome(sending instanceof Promise ? await sending : sending, res, context);
}

/** How sending goes on, told to the context; a class for the sake of its accessor (`TrackedRequest`). */
class DeliveryProgress implements SendOptions {
  private readonly socket: Socket;

  constructor(
    private readonly context: RequestContext,
    { req }: ServerResponse,
    readonly memory: ChunkMemory,
    readonly commonFields: readonly string[] | undefined,
  ) {
    this.socket = req.socket;
  }

  /** made by the context when it is asked for */
  get signal(): AbortSignal {
    return this.context.signal;
  }

  onFirstByte(): void {
    this.context.markFirstByte();
  }

  onSent(bytes: number): void {
    // Node 20 says of a write that it gave up with its socket that it went well
    if (this.socket.destroyed) return;
    const { entry } = this.context;
    entry.bytesSent = (entry.bytesSent ?? 0) + bytes;
  }
}

/**
 * Ends a response that could not be sent whole.
 *
 * @throws AppError while another answer can still be given
 */
export function reportOutcome(
  outcome: SendOutcome,
  res: ServerResponse,
  context: RequestContext,
): void {
  if (outcome.kind === 'complete' || outcome.kind === 'client-left') return;

  const error = outcome.kind === 'read-failed' ? outcome.error : new Error('the file has shrunk');
  if (!res.headersSent) {
    if (error instanceof AppError) throw error;
    throw new AppError('track_unavailable', 'The track cannot be read now', { cause: error });
  }
  context.logger.error('track broke off', { error: describeError(error) });
  context.cut(outcome.kind);
}
