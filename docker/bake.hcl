# Every image, described once: for `make images`, for a release and for its dry run. Run it from the repository's root.
#   docker buildx bake --file docker/bake.hcl --load
# Variables come from the environment; what is left empty is as the Dockerfile has it.

# what goes before an image's name, host/path
variable "REGISTRY" { default = "" }
variable "TAG" { default = "dev" }
variable "VERSION" { default = "" }
variable "COMMIT" { default = "unknown" }
# a folder of wheels that pip is offered
variable "WHEELS" { default = "" }
variable "TORCH" { default = "" }
variable "EXTRAS" { default = "" }
# the base's tag, and the digest that it was resolved to
variable "BASE" { default = "" }
variable "BASE_DIGEST" { default = "" }

function "image" {
  params = [name]
  result = REGISTRY == "" ? "${name}:${TAG}" : "${REGISTRY}/${name}:${TAG}"
}

group "default" { targets = ["cpu", "train"] }

target "common" {
  context  = "."
  contexts = { for name, folder in { wheels = WHEELS } : name => folder if folder != "" }
  args = {
    BASE    = BASE_DIGEST != "" ? "${BASE}@${BASE_DIGEST}" : BASE != "" ? BASE : null
    COMMIT  = COMMIT
    VERSION = VERSION != "" ? VERSION : null
  }
  labels = {
    for name, value in { name = BASE, digest = BASE_DIGEST } :
    "org.opencontainers.image.base.${name}" => value if BASE_DIGEST != ""
  }
}

target "cpu" {
  inherits   = ["common"]
  dockerfile = "docker/cpu.Dockerfile"
  tags       = [image("ctiforge-cpu")]
}

target "train" {
  inherits   = ["common"]
  dockerfile = "docker/cuda.Dockerfile"
  tags       = [image("ctiforge-train")]
  args = {
    TORCH  = TORCH != "" ? TORCH : null
    EXTRAS = EXTRAS != "" ? EXTRAS : null
  }
}

# the development PostgreSQL and S3; never released
target "services" {
  inherits   = ["common"]
  dockerfile = "k8s/services/Dockerfile"
  tags       = [image("ctiforge-services")]
}
