import type { NextConfig } from "next";

// gRPC stays as it is in node_modules: it is no code for a bundle.
const config: NextConfig = { serverExternalPackages: ["@sidecall/client", "@grpc/grpc-js"] };

export default config;
