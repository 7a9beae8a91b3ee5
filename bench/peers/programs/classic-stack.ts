import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import cors from 'cors';
import express, { type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import { verify } from 'jsonwebtoken';
import { parseFile } from 'music-metadata';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { createLogger, format, transports } from 'winston';
import { readVariable } from './environment';

const libraryDir = readVariable('LIBRARY_DIR');
const secret = readVariable('JWT_SECRET');
const redis = new Redis(readVariable('REDIS_SOCKET'));
const logger = createLogger({
  format: format.combine(format.timestamp(), format.json()),
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types call the constructor an instance
  transports: [new transports.Console()],
});

const logRequests: RequestHandler = (req, res, next) => {
  const startedAt = Date.now();
  res.on('finish', () => {
    logger.info('request', {
      method: req.method,
      url: req.originalUrl,
      status: res.statusCode,
      durationMs: Date.now() - startedAt,
      address: req.ip,
    });
  });
  next();
};

const authenticate: RequestHandler = (req, res, next) => {
  const token = req.headers.authorization?.replace(/^Bearer /, '');
  try {
    res.locals.claims = verify(token ?? '', secret, { algorithms: ['HS256'] });
    next();
  } catch {
    res.status(401).json({ status: 'error', message: 'invalid token' });
  }
};

const limit = rateLimit({
  windowMs: 60_000,
  limit: 1_000_000_000, // nothing is to be refused, and everything to be counted
  standardHeaders: 'draft-8',
  legacyHeaders: false,
  store: new RedisStore({
    sendCommand: (command: string, ...args: string[]) =>
      redis.call(command, ...args) as Promise<RedisReply>,
  }),
});

const sendMetadata: RequestHandler<{ id: string }> = async (req, res) => {
  const key = `metadata:${req.params.id}`;
  const cached = await redis.get(key);
  if (cached !== null) {
    res.json(JSON.parse(cached));
    return;
  }
  const file = join(libraryDir, `${req.params.id}.mp3`);
  const { common, format: audio } = await parseFile(file);
  const { size, mtime } = await stat(file);
  const answer = {
    status: 'success',
    data: {
      id: req.params.id,
      title: common.title,
      artist: common.artist,
      album: common.album,
      year: common.year,
      genre: common.genre?.[0],
      duration: audio.duration,
      bitrate: audio.bitrate,
      format: audio.container,
      codec: audio.codec,
      sampleRate: audio.sampleRate,
      channels: audio.numberOfChannels,
      size,
      lastModified: mtime,
    },
  };
  await redis.set(key, JSON.stringify(answer), 'EX', 86_400);
  res.json(answer);
};

const app = express();
app.use(helmet());
app.use(cors());
app.use(logRequests);
app.use(authenticate);
app.use(limit);
app.get('/api/metadata/:id', sendMetadata);
app.use('/api/stream', express.static(libraryDir));
app.listen(Number(readVariable('PORT')), '127.0.0.1');
