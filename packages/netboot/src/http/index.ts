/** The HTTP half of netboot: the server, the sources of its files, and what is pure in it. */
export {
  createBootHttpServer,
  DEFAULT_HTTP_LIMITS,
  type BootHttpLimits,
  type BootHttpServer,
  type BootHttpServerOptions,
} from './server';
export { holdBack, type BootScriptRequest, type BootScripts } from './boot-menu';
export { ASSETS_PATH, IMAGES_PATH, LOADERS_PATH, MENU_PATH, type BootMachine } from './boot-routes';
export {
  createDirectoryAssets,
  createMemoryAssets,
  type AssetSource,
  type DirectoryAssetsOptions,
  type OpenAsset,
} from './asset-files';
