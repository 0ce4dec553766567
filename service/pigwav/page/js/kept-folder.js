// @ts-check

/**
 * The folder of a user's recordings on this device, in the browser's own storage for this origin (OPFS).
 * @param {number} user
 */
export async function folderOf(user) {
  const root = await navigator.storage.getDirectory();
  const recordings = await root.getDirectoryHandle('recordings', { create: true });
  return recordings.getDirectoryHandle(String(user), { create: true });
}
