variable "name" {
  description = "What the names of all resources begin with."
  type        = string
  default     = "traceo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "The name is lower case letters, digits and hyphens, 3 to 32 of them, beginning with a letter."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region is written as in eu-central-1."
  }
}

variable "bucket" {
  description = "Name of the bucket; unique among all of S3."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name is 3 to 63 lower case letters, digits and hyphens; no dots, which TLS does not take."
  }
}

variable "vpc_id" {
  description = "The network of the Kubernetes cluster."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "The id of a VPC begins with vpc-."
  }
}

variable "private_subnet_ids" {
  description = "Subnets for the database and the cache, in at least two zones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.private_subnet_ids)) >= 2 && alltrue([for id in var.private_subnet_ids : startswith(id, "subnet-")])
    error_message = "Name at least two subnets; their ids begin with subnet-."
  }
}

variable "client_security_group_id" {
  description = "Security group of the cluster's nodes or pods: the only one that reaches the database and the cache."
  type        = string

  validation {
    condition     = startswith(var.client_security_group_id, "sg-")
    error_message = "The id of a security group begins with sg-."
  }
}

variable "oidc_provider_arn" {
  description = "The cluster's OIDC provider, for the roles of service accounts."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "The ARN is written as in arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE."
  }
}

variable "namespace" {
  description = "The Kubernetes namespace that Traceo is installed in."
  type        = string
  default     = "traceo"
}

variable "release" {
  description = "The name of the Helm release; service accounts are called after it."
  type        = string
  default     = "traceo"
}

variable "hot_days" {
  description = "Days that telemetry stays in S3's standard class."
  type        = number
  default     = 30

  validation {
    condition     = var.hot_days >= 30
    error_message = "S3 moves nothing to the infrequent access class before 30 days."
  }
}

variable "cold_days" {
  description = "Age in days from which telemetry lies in the archive class with instant access."
  type        = number
  default     = 90

  validation {
    condition     = var.cold_days >= var.hot_days + 30
    error_message = "S3 keeps what it moved to infrequent access there for at least 30 days: cold_days >= hot_days + 30."
  }
}

variable "retention_days" {
  description = "Age in days at which telemetry is deleted."
  type        = number
  default     = 365

  validation {
    condition     = var.retention_days >= var.cold_days + 90
    error_message = "The archive class bills at least 90 days: retention_days >= cold_days + 90."
  }
}

variable "database_class" {
  description = "Instance class of PostgreSQL."
  type        = string
  default     = "db.t4g.medium"

  validation {
    condition     = startswith(var.database_class, "db.")
    error_message = "An instance class of RDS begins with db."
  }
}

variable "database_storage_gb" {
  description = "Storage that PostgreSQL starts with, in GB; it grows to five times this by itself."
  type        = number
  default     = 50

  validation {
    condition     = var.database_storage_gb >= 20 && var.database_storage_gb <= 10000
    error_message = "RDS takes 20 GB and more; beyond 10000 is surely a slip."
  }
}

variable "cache_node_type" {
  description = "Node type of Redis."
  type        = string
  default     = "cache.t4g.small"

  validation {
    condition     = startswith(var.cache_node_type, "cache.")
    error_message = "A node type of ElastiCache begins with cache."
  }
}

variable "cache_auth_token" {
  description = "Password of Redis. Give it as TF_VAR_cache_auth_token, never in a file."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{32,128}$", var.cache_auth_token))
    error_message = "The token is 32 to 128 letters, digits, _ and -, so that it can stand in a connection string."
  }
}

variable "highly_available" {
  description = "A standby of PostgreSQL and a replica of Redis in a second zone."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted and leaves a last snapshot."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Further tags of every resource."
  type        = map(string)
  default     = {}
}
