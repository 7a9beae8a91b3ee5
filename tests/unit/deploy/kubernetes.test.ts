import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Deployment } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, PersistentVolumeClaim, Secret, Service } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';

const folder = join(__dirname, '../../../k8s');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

function resourcesOf(file: string): Resource[] {
  return parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Resource;
  });
}

const resources = files
  .filter((name) => name !== 'kustomization.yaml')
  .flatMap((file) => resourcesOf(file));

const models = {
  ConfigMap,
  Deployment,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  Secret,
  Service,
};

/** The resource as its model; the test "is valid" is what makes the conversion true. */
function find<K extends keyof typeof models>(
  kind: K,
  name: string,
): InstanceType<(typeof models)[K]> {
  const found = resources.filter((r) => r.kind === kind && r.metadata.name === name);
  expect(found).toHaveLength(1);
  return new models[kind](found[0]) as InstanceType<(typeof models)[K]>;
}

const deployment = find('Deployment', 'streaming-service');
const pod = deployment.spec!.template.spec!;
const container = pod.containers[0]!;
const configMap = find('ConfigMap', 'streaming-service-config');

describe('k8s manifests', () => {
  it.each(
    resources.map((resource) => [`${resource.kind} ${resource.metadata.name}`, resource] as const),
  )('%s is valid', (_, resource) => {
    const Model = models[resource.kind as keyof typeof models];
    const model = new Model(resource);
    expect(model.apiVersion).toBe(resource.apiVersion);
    expect(() => {
      model.validate();
    }).not.toThrow();
  });

  it('are all applied by the kustomization, but for what has to be filled in first', () => {
    const kustomization = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as {
      resources: string[];
    };
    const expected = files.filter((f) => f !== 'kustomization.yaml' && !f.includes('.example.'));
    expect([...kustomization.resources].sort()).toEqual(expected.sort());
  });

  it('use the names that clusters know', () => {
    expect(deployment.spec?.selector).toEqual({ matchLabels: { app: 'streaming-service' } });
    expect(deployment.spec?.template.metadata?.labels).toEqual({ app: 'streaming-service' });
    expect(container.name).toBe('streaming-service');
    expect(container.image).toBe('tuneton/streaming-service:latest');
    expect(container.ports).toEqual([{ name: 'http', containerPort: 3005, protocol: 'TCP' }]);
    expect(container.env).toEqual(
      expect.arrayContaining([
        { name: 'NODE_ENV', value: 'production' },
        {
          name: 'JWT_SECRET',
          valueFrom: { secretKeyRef: { name: 'app-secrets', key: 'jwt-secret' } },
        },
        { name: 'REDIS_URL', value: 'redis://redis:6379' },
      ]),
    );
  });

  it('reach the service by port 80 and by no address from outside', () => {
    const { spec } = find('Service', 'streaming-service');
    expect(spec?.type).toBe('ClusterIP');
    expect(spec?.selector).toEqual({ app: 'streaming-service' });
    expect(spec?.ports).toEqual([{ name: 'http', protocol: 'TCP', port: 80, targetPort: 3005 }]);
    expect(find('Service', 'redis').spec?.type).toBe('ClusterIP');
  });

  it('give the example secret the right key and a value that the service refuses', () => {
    const { stringData = {} } = find('Secret', 'app-secrets');
    expect(Object.keys(stringData)).toEqual(['jwt-secret']);
    expect(Buffer.byteLength(stringData['jwt-secret']!)).toBeLessThan(32);
  });
});

describe.each(['streaming-service', 'redis'])('the pod of %s', (name) => {
  const spec = find('Deployment', name).spec!.template.spec!;

  it('meets the Pod Security Standard "restricted"', () => {
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(spec.securityContext?.runAsUser).toBeGreaterThan(0);
    expect(spec.securityContext?.runAsGroup).toBeGreaterThan(0);
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
      expect(spec[field]).toBeUndefined();
    }
    for (const { securityContext, ports } of spec.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(ports?.filter(({ hostPort }) => hostPort !== undefined)).toEqual([]);
    }
    const volumeTypes = spec.volumes?.flatMap((volume) => Object.keys(volume)) ?? [];
    expect(
      volumeTypes.filter((t) => !['name', 'emptyDir', 'persistentVolumeClaim'].includes(t)),
    ).toEqual([]);
  });

  it('is given no token of the cluster and no variables of its neighbours', () => {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.enableServiceLinks).toBe(false);
  });

  it('has requests, a memory limit, and a limit on what it writes', () => {
    for (const { resources: limits } of spec.containers) {
      expect(Object.keys(limits?.requests ?? {})).toEqual(['cpu', 'memory']);
      expect(Object.keys(limits?.limits ?? {})).toEqual(['memory']);
    }
    for (const { emptyDir } of spec.volumes ?? []) {
      expect(emptyDir === undefined || emptyDir.sizeLimit !== undefined).toBe(true);
    }
  });
});

describe('the deployment of streaming-service', () => {
  it('keeps two replicas on different nodes, and both while it is rolled out or a node drained', () => {
    expect(deployment.spec?.replicas).toBe(2);
    expect(deployment.spec?.strategy?.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    expect(pod.topologySpreadConstraints).toMatchObject([
      {
        topologyKey: 'kubernetes.io/hostname',
        labelSelector: { matchLabels: { app: 'streaming-service' } },
      },
    ]);
    const budget = find('PodDisruptionBudget', 'streaming-service').spec;
    expect(budget).toEqual({
      maxUnavailable: 1,
      selector: { matchLabels: { app: 'streaming-service' } },
    });
  });

  it('runs as the user of the image', () => {
    expect(pod.securityContext).toMatchObject({ runAsUser: 1000, runAsGroup: 1000 });
  });

  it('is probed on /health, with more patience for life than for readiness', () => {
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    for (const probe of probes) {
      expect(probe?.httpGet).toEqual({ path: '/health', port: 'http' });
    }
    const patienceSeconds = probes.map(
      (probe) => (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3),
    );
    const [startup = 0, liveness = 0, readiness = 0] = patienceSeconds;
    expect(startup).toBeGreaterThanOrEqual(30);
    expect(liveness).toBeGreaterThan(readiness);
  });

  it('is given the time to drain: preStop + DRAIN_TIMEOUT_SECONDS + 5 s and no less', () => {
    const [program, seconds] = container.lifecycle?.preStop?.exec?.command ?? [];
    expect(program).toBe('sleep');
    const drainSeconds = Number(configMap.data?.DRAIN_TIMEOUT_SECONDS);
    expect(drainSeconds).toBe(25);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
      Number(seconds) + drainSeconds + 5,
    );
  });

  it('reads the library and cannot write to it', () => {
    const mount = container.volumeMounts?.find((m) => m.mountPath === '/app/uploads/audio');
    const volume = pod.volumes?.find((v) => v.name === mount?.name);
    expect(mount?.readOnly).toBe(true);
    expect(volume?.persistentVolumeClaim).toEqual({ claimName: 'audio-library', readOnly: true });
    expect(find('PersistentVolumeClaim', 'audio-library').spec?.accessModes).toEqual([
      'ReadOnlyMany',
    ]);
    expect(configMap.data?.AUDIO_FILES_DIR).toBe('./uploads/audio');
  });

  it('takes its settings from the config map, and secrets from the secret alone', () => {
    expect(container.envFrom).toEqual([{ configMapRef: { name: 'streaming-service-config' } }]);
    const data = configMap.data ?? {};
    expect(Object.keys(data).filter((name) => /SECRET|PASSWORD|TOKEN/.test(name))).toEqual([]);
    const plain = container.env?.filter(({ value }) => value !== undefined).map(({ name }) => name);
    expect(plain).toEqual(['NODE_ENV', 'REDIS_URL']);
    expect(container.env?.find(({ name }) => name === 'JWT_SECRET_PREVIOUS')?.valueFrom).toEqual({
      secretKeyRef: { name: 'app-secrets', key: 'jwt-secret-previous', optional: true },
    });
  });

  it('trusts no proxy until it is told to', () => {
    expect(configMap.data?.TRUST_PROXY).toBe('0');
  });
});

describe('Redis', () => {
  const redis = find('Deployment', 'redis').spec!.template.spec!.containers[0]!;

  it('keeps nothing on disk, and forgets rather than grows, but no plays', () => {
    const args = redis.args ?? [];
    const valueOf = (option: string): string | undefined => args[args.indexOf(option) + 1];
    expect(redis.command).toEqual(['redis-server']);
    expect(valueOf('--save')).toBe('');
    expect(valueOf('--appendonly')).toBe('no');
    expect(valueOf('--maxmemory-policy')).toBe('volatile-lru');
    expect(valueOf('--maxmemory')).toMatch(/^\d+mb$/);
    const limitMiB = parseInt(String(redis.resources?.limits?.memory), 10);
    expect(parseInt(valueOf('--maxmemory')!, 10) * 1.5).toBeLessThanOrEqual(limitMiB);
  });

  it('is reached by the service and nobody else, and reaches nobody', () => {
    const policy = find('NetworkPolicy', 'redis').spec;
    expect(policy).toEqual({
      podSelector: { matchLabels: { app: 'redis' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'streaming-service' } } }],
          ports: [{ protocol: 'TCP', port: 6379 }],
        },
      ],
      egress: [],
    });
  });
});

describe('the network policy of streaming-service', () => {
  it('opens one port, and lets out to Redis and to names only', () => {
    const policy = find('NetworkPolicy', 'streaming-service').spec;
    expect(policy?.podSelector).toEqual({ matchLabels: { app: 'streaming-service' } });
    expect(policy?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(policy?.ingress?.map(({ ports }) => ports)).toEqual([[{ protocol: 'TCP', port: 3005 }]]);
    expect(policy?.egress?.flatMap(({ ports = [] }) => ports.map(({ port }) => port))).toEqual([
      6379, 53, 53,
    ]);
  });
});
