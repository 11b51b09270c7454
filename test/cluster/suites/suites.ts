import { ADMIN } from '../folders.ts';
import { NODE_IP } from '../network.ts';

/** Knative's own suites: which of their tests must end well here, and what each suite is given. */

export interface Suite {
  /** Images that its tests start, by the names that `add` knows. */
  readonly images: readonly string[];
  /** Flags of its program, besides those that say which tests. */
  readonly args: readonly string[];
  /** Each has to run; one that the suite does not know any more is told as missing. */
  readonly tests: readonly string[];
  /** Settings of Knative that it needs while it runs: ConfigMaps and their values. */
  readonly settings?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** How many activators it needs. Otherwise there is one. */
  readonly activators?: number;
  /** After that it is ended. */
  readonly minutes: number;
}

const INGRESS_CLASS = 'rouse.ingress.networking.knative.dev';

/** Its Service has a port on each node for every port of its own. */
const COMMON = ['-tag', 'v1', '-kubeconfig', ADMIN, '-ingressendpoint', NODE_IP];
const MATURITIES = ['-enable-beta', '-enable-alpha'];
const SERVING = [
  ...COMMON,
  ...MATURITIES,
  '-dockerrepo=dev.local',
  `-ingress-class=${INGRESS_CLASS}`,
  // Logs of Knative's own pods, at a level that it does not have here.
  '-disable-logstream',
];
const NETWORKING = [
  ...COMMON,
  ...MATURITIES,
  '-dockerrepo=dev.local/networking',
  `-ingressClass=${INGRESS_CLASS}`,
];

/** As Knative has it; our clusters have less. Tests give a revision six times that to go to zero. */
const GRACE = { 'scale-to-zero-grace-period': '30s' };
/**
 * With another domain than the cluster's own, Services can be seen from outside. Some tests wait until a Deployment that
 * cannot succeed is given up: ten minutes by default.
 */
const SERVING_SETTINGS = {
  'config-network': { 'ingress-class': INGRESS_CLASS, 'autocreate-cluster-domain-claims': 'true' },
  'config-domain': { 'example.com': '' },
  'config-deployment': { 'progress-deadline': '120s' },
  'config-autoscaler': GRACE,
};

const INGRESS_TESTS = [
  'basics',
  'basics/http2',
  'grpc',
  'grpc/split',
  'headers/pre-split',
  'headers/post-split',
  'headers/probe',
  'hosts/multiple',
  'dispatch/path',
  'dispatch/percentage',
  'dispatch/path_and_percentage',
  'dispatch/rule',
  'retry',
  'timeout',
  'tls',
  'update',
  'visibility',
  'visibility/split',
  'visibility/path',
  'ingressclass',
  'websocket',
  'websocket/split',
  // Beta.
  'host-rewrite',
  'headers/tags',
  // Alpha.
  'httpoption',
];

export const SUITES: Readonly<Record<string, Suite>> = {
  'conformance-ingress': {
    images: ['grpc-ping', 'httpproxy', 'retry', 'runtime', 'timeout', 'wsserver'].map(
      (name) => `networking/${name}`,
    ),
    // Most of each is waiting.
    args: [...NETWORKING, '-test.parallel', '6'],
    tests: INGRESS_TESTS.map((name) => `TestIngressConformance/${name}`),
    minutes: 15,
  },
  'conformance-api': {
    images: [
      'autoscale',
      'failing',
      'hellovolume',
      'pizzaplanetv1',
      'pizzaplanetv2',
      'servingcontainer',
      'sidecarcontainer',
      'singlethreaded',
      'timeout',
      'volumes',
    ],
    args: SERVING,
    tests: [
      'TestAnnotationPropagation',
      'TestBlueGreenRoute',
      'TestConfigMapVolume',
      'TestConfigurationGetAndList',
      'TestContainerErrorMsg',
      'TestContainerExitingMsg',
      'TestCustomResourcesLimits',
      'TestLabelPropagation',
      'TestProjectedComplex',
      'TestProjectedConfigMapVolume',
      'TestProjectedSecretVolume',
      'TestProjectedServiceAccountToken',
      'TestRevisionGetAndList',
      'TestRevisionTimeout',
      'TestRouteAndConfigGenerateName',
      'TestRouteCreation',
      'TestRouteGetAndList',
      'TestSecretVolume',
      'TestServiceAccountValidation',
      'TestServiceBYOName',
      'TestServiceCreateAndUpdate',
      'TestServiceCreateListAndDelete',
      'TestServiceCreateWithEmptyDir',
      'TestServiceCreateWithMultipleContainers',
      'TestServiceGenerateName',
      'TestServiceWithTrafficSplit',
      'TestSingleConcurrency',
      'TestUpdateConfigurationMetadata',
    ],
    settings: SERVING_SETTINGS,
    minutes: 30,
  },
  'conformance-runtime': {
    images: ['readiness', 'runtime'],
    args: SERVING,
    tests: [
      'TestCmdArgs',
      'TestConfigsViaEnv',
      'TestLivenessWithFail',
      'TestMustEnvVars',
      'TestMustHaveCgroupConfigured',
      'TestMustHaveFiles',
      'TestMustHaveHeadersSet',
      'TestMustNotContainerConstraints',
      'TestMustRunAsUser',
      'TestProbeRuntime',
      'TestProbeRuntimeAfterStartup',
      'TestProtocols',
      'TestSecretsViaEnv',
      'TestShouldEnvVars',
      'TestShouldHaveCgroupReadOnly',
      'TestShouldHaveFiles',
      'TestShouldHaveHeadersSet',
      'TestShouldHaveStdinEOF',
      'TestShouldHaveSysctlReadOnly',
      'TestShouldNotContainerConstraints',
      'TestShouldRunAsUserContainerDefault',
      'TestWorkingDirService',
    ],
    settings: SERVING_SETTINGS,
    minutes: 20,
  },
  e2e: {
    images: [
      'autoscale',
      'configmimic',
      'grpc-ping',
      'hellohttp2',
      'httpproxy',
      'pizzaplanetv1',
      'pizzaplanetv2',
      'readiness',
      'timeout',
      'wsserver',
    ],
    args: SERVING,
    tests: [
      'TestActivationScale',
      'TestActivatorOverload',
      'TestAutoscaleUpDownUp',
      'TestCallToPublicService',
      'TestDestroyPodInflight',
      'TestDestroyPodTimely',
      'TestDestroyPodWithRequests',
      'TestFastScaleToZero',
      'TestGRPCLoadBalancing',
      'TestGRPCStreamingPing',
      'TestGRPCStreamingPingViaActivator',
      'TestGRPCUnaryPing',
      'TestGRPCUnaryPingViaActivator',
      'TestGradualRollout',
      'TestHelloHTTP2WithPortNameH2C',
      'TestHelloWorld',
      'TestInitScalePositive',
      'TestMinScale',
      'TestMinScaleAnnotationChange',
      'TestMinScaleTransition',
      'TestReadinessAlternatePort',
      'TestReadinessGRPCProbe',
      'TestReadinessPathAndQuery',
      'TestRevisionTimeout',
      'TestRollbackBYOName',
      'TestRouteVisibilityChanges',
      'TestServiceToServiceCall',
      'TestSubrouteLocalSTS',
      'TestSubrouteVisibilityPrivateToPublic',
      'TestSubrouteVisibilityPublicToPrivate',
      'TestSvcToSvcViaActivator',
      'TestTargetBurstCapacity',
      'TestTargetBurstCapacityMinusOne',
      'TestTargetBurstCapacityZero',
      'TestWebSocket',
      'TestWebSocketBlueGreenRoute',
      'TestWebSocketGracefulShutdown',
      'TestWebSocketViaActivator',
      'TestWebSocketWithTimeout',
    ],
    settings: SERVING_SETTINGS,
    minutes: 60,
  },
  'e2e-initscale': {
    images: [],
    args: SERVING,
    tests: ['TestInitScaleZero'],
    settings: {
      ...SERVING_SETTINGS,
      'config-autoscaler': { ...GRACE, 'allow-zero-initial-scale': 'true' },
    },
    minutes: 5,
  },
  'e2e-tagheader': {
    images: ['pizzaplanetv1', 'pizzaplanetv2'],
    args: SERVING,
    tests: ['TestTagHeaderBasedRouting'],
    settings: {
      ...SERVING_SETTINGS,
      'config-features': { 'tag-header-based-routing': 'Enabled' },
    },
    minutes: 5,
  },
  ha: {
    images: ['pizzaplanetv1', 'pizzaplanetv2'],
    // They look often, so that they see what is lost.
    args: [...SERVING, '-test.parallel', '1', '-spoofinterval', '10ms'],
    tests: ['TestActivatorHAGraceful', 'TestActivatorHANonGraceful'],
    settings: SERVING_SETTINGS,
    activators: 2,
    minutes: 15,
  },
};
