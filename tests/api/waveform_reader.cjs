// Prints what waveform-data reads from standard input, which holds a .dat, or a .json if that is the argument.
const WaveformData = require('waveform-data');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
  const bytes = Buffer.concat(chunks);
  const { buffer, byteOffset, byteLength } = bytes;
  const isJson = process.argv[2] === 'json';
  const source = isJson ? JSON.parse(bytes.toString()) : buffer.slice(byteOffset, byteOffset + byteLength);
  const waveform = WaveformData.create(source);
  const { sample_rate, scale, bits, length, channels, duration } = waveform;
  const lowest = waveform.channel(0).min_array();
  const highest = waveform.channel(0).max_array();
  console.log(JSON.stringify({ sample_rate, scale, bits, length, channels, duration, lowest, highest }));
});
