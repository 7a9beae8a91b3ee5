export default function tearDown(): void {
  globalThis.testRedis?.kill();
}
