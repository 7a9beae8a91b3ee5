import { type Request, type RequestHandler, type Response } from 'express';
import { exchangeOf } from '../middleware/exchange';
import { plannedDelivery, type PlannedDelivery } from '../middleware/select-track';
import { type Derivation } from '../services/derivation';
import { type Product, type Recipe } from '../services/production';
import { type Productions } from '../services/productions';
import { type ChunkMemory } from '../streaming/chunk-memory';
import { createMemorySource } from '../streaming/memory-source';
import { planResponse, planUnbounded, type ResponsePlan } from '../streaming/response-plan';
import { sendGrowing } from '../streaming/send-growing';
import { assertSatisfied, deliver, reportOutcome } from './stream-controller';

export interface DerivedControllerDeps {
  readonly productions: Productions;
  readonly memory: ChunkMemory;
}

/** GET and HEAD of what is made of a track, for a delivery that is planned and paid for. */
export function createDerivedController({
  productions,
  memory,
}: DerivedControllerDeps): RequestHandler {
  return async (req, res) => {
    const delivery = plannedDelivery(req);
    const { derivation, plan } = delivery;
    if (!derivation) throw new TypeError('nothing is made of the track on this route');
    // beside what CORS says it varies by
    if (derivation.varyBy !== undefined) res.vary(derivation.varyBy);
    assertSatisfied(plan, res);
    if (plan.status === 304) {
      res.writeHead(304, plan.fields).end();
      return;
    }
    const { content } = derivation;
    if (Buffer.isBuffer(content)) {
      const whole = planWhole(delivery, derivation, content.length);
      assertSatisfied(whole, res);
      const source = createMemorySource(content);
      await deliver(res, { plan: whole, source, memory }, req.context);
      return;
    }
    if (req.method === 'HEAD') await describe(productions, content, { delivery, derivation }, res);
    else await produce({ productions, memory }, content, { delivery, derivation }, req, res);
  };
}

interface Asked {
  readonly delivery: PlannedDelivery;
  readonly derivation: Derivation;
}

/** HEAD never makes anything: the length is there when it is known without. */
async function describe(
  productions: Productions,
  recipe: Recipe,
  { delivery, derivation }: Asked,
  res: Response,
): Promise<void> {
  const product = await productions.find(recipe.key);
  const lengthBytes = offeredLength(
    derivation,
    product ?? { lengthBytes: recipe.lengthBytes, isWhole: false },
  );
  product?.close();
  const { status, fields } =
    lengthBytes === undefined
      ? planUnbounded(delivery.request, derivation.representation)
      : planWhole(delivery, derivation, lengthBytes);
  res.writeHead(status, fields).end();
}

async function produce(
  { productions, memory }: DerivedControllerDeps,
  recipe: Recipe,
  { delivery, derivation }: Asked,
  req: Request,
  res: Response,
): Promise<void> {
  const { signal } = req.context;
  // behind a client who has left the track is closed: its descriptor may be another file's
  signal.throwIfAborted();
  const opening = productions.open(recipe, req.principal.subject);
  delivery.holdUntil(opening.then(({ whenOver }) => whenOver));
  const product = await opening;
  exchangeOf(req, res).onOver(() => {
    product.close();
  });
  // an answer must not begin before the track is known to be decodable
  await product.until(derivation.isStreamed ? 1 : Infinity, signal);

  const lengthBytes = offeredLength(derivation, product);
  if (lengthBytes === undefined) {
    await sendUnbounded(product, { delivery, derivation }, req, res);
    return;
  }
  const plan = planWhole(delivery, derivation, lengthBytes);
  assertSatisfied(plan, res);
  await product.until(firstByteOf(plan) + 1, signal);
  await deliver(res, { plan, source: product, memory }, req.context);
}

function offeredLength(
  { isUnboundedUntilWhole = false }: Derivation,
  { lengthBytes, isWhole }: Pick<Product, 'lengthBytes' | 'isWhole'>,
): number | undefined {
  return isUnboundedUntilWhole && !isWhole ? undefined : lengthBytes;
}

async function sendUnbounded(
  product: Product,
  { delivery, derivation }: Asked,
  { context }: Request,
  res: Response,
): Promise<void> {
  const plan = planUnbounded(delivery.request, derivation.representation);
  const { signal, entry } = context;
  entry.bytesSent = 0;
  const bytes = product.read({ firstPos: 0, lastPos: Number.MAX_SAFE_INTEGER }, signal);
  const outcome = await sendGrowing(res, plan, bytes, {
    signal,
    onFirstByte: () => {
      context.markFirstByte();
    },
    onSent: (count) => {
      entry.bytesSent = (entry.bytesSent ?? 0) + count;
    },
  });
  reportOutcome(outcome, res, context);
}

function planWhole(
  { request }: PlannedDelivery,
  { representation }: Derivation,
  lengthBytes: number,
): ResponsePlan {
  return planResponse(request, { ...representation, lengthBytes });
}

/** The furthest that an answer begins with; a multipart one must not stop between two parts. */
function firstByteOf({ segments }: ResponsePlan): number {
  return Math.max(
    0,
    ...segments.map((segment) => (segment.kind === 'slice' ? segment.range.firstPos : 0)),
  );
}
