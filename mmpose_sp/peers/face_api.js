// Faces of face-api for systems.py: in come height, width (uint32, little-endian) and RGB bytes, out goes a line of JSON.
const path = require('path');
const [folder] = process.argv.slice(2);
const { createRequire } = require('module');
const from = createRequire(path.join(folder, 'package.json'));
const log = console.log;
console.log = console.error;  // TensorFlow.js greets on the standard output
const tf = from('@tensorflow/tfjs');
const wasm = from('@tensorflow/tfjs-backend-wasm');
const faceapi = require(path.join(folder, 'dist', 'face-api.node-wasm.js'));

async function find(height, width, bytes) {
  const start = process.cpuUsage();
  const image = tf.tensor3d(bytes, [height, width, 3], 'int32');
  const options = new faceapi.SsdMobilenetv1Options({ minConfidence: 0.5, maxResults: 8 });
  const found = await faceapi.detectAllFaces(image, options).withFaceLandmarks();
  image.dispose();
  const spent = process.cpuUsage(start);
  const faces = found.map((face) => face.landmarks.positions.map((point) => [point.x, point.y]));
  log(JSON.stringify({ faces, ms: (spent.user + spent.system) / 1000 }));
}

async function main() {
  wasm.setWasmPaths(path.join(path.dirname(from.resolve('@tensorflow/tfjs-backend-wasm')), path.sep));
  wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const models = path.join(folder, 'model');
  await faceapi.nets.ssdMobilenetv1.loadFromDisk(models);
  await faceapi.nets.faceLandmark68Net.loadFromDisk(models);
  let waiting = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 8) {
      const [height, width] = [waiting.readUInt32LE(0), waiting.readUInt32LE(4)];
      const end = 8 + 3 * height * width;
      if (waiting.length < end) break;
      await find(height, width, Int32Array.from(waiting.subarray(8, end)));
      waiting = waiting.subarray(end);
    }
  }
}

main();
